import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { bestPack, packSteps, packWorth, stepsOf, type Item } from './knapsack.js';

const item = fc.record({
  steps: fc.integer({ min: 15, max: packSteps }),
  worth: fc.integer({ min: -3, max: 9 }),
});
const items = fc.array(item, { maxLength: 5 });

/** Every pack, by trying all. */
const bestOf = (choice: readonly Item[], free: number): number =>
  Math.max(
    0,
    ...choice.filter(({ steps }) => steps <= free).map(i => i.worth + bestOf(choice, free - i.steps)),
  );

test('a pack is worth as much as the best of all packs, for every free part', () => {
  fc.assert(
    fc.property(items, fc.integer({ min: 0, max: packSteps }), (choice, free) => {
      const worths = new Float64Array(packSteps + 1);
      packWorth(choice, worths);
      expect(worths[free]).toBe(bestOf(choice, free));
    }),
  );
});

test('the copies of the best pack fit a unit and are worth what is said', () => {
  fc.assert(
    fc.property(items, choice => {
      const { worth, copies } = bestPack(choice);
      let [steps, sum] = [0, 0];
      for (const [position, count] of copies) {
        steps += choice[position]!.steps * count;
        sum += choice[position]!.worth * count;
      }
      expect(steps).toBeLessThanOrEqual(packSteps);
      expect(sum).toBe(worth);
    }),
  );
});

test('a share takes its hundredths, rounded up', () => {
  expect([1000, 460, 461, 1].map(stepsOf)).toEqual([100, 46, 47, 1]);
});
