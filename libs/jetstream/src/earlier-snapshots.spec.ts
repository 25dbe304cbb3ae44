import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { MAX_EARLIER_SNAPSHOTS, slotOf } from './earlier-snapshots.js';

const SPACING = 1_024;
const REACH = 2 ** 21;

/** What is kept when states are written down at these positions. */
function keptOf(positions: Iterable<number>): readonly number[] {
  const slots = new Map<number, number>();
  let before = 0;
  for (const position of positions) {
    const slot = slotOf(before, position);
    if (slot !== undefined) slots.set(slot, position);
    before = position;
  }
  return [...slots.values()].sort((left, right) => left - right);
}

function* every(step: number, until: number): Generator<number> {
  for (let position = step; position <= until; position += step) yield position;
}

test('a state soon after another is not kept beside it', () => {
  expect(slotOf(1_024, 2_047)).toBeUndefined();
  expect(slotOf(0, 1_023)).toBeUndefined();
  expect(slotOf(2_047, 2_048)).toBeDefined();
});

test('however long a history is, no more are kept than the limit', () => {
  expect(keptOf(every(500, 2 ** 22)).length).toBeLessThanOrEqual(MAX_EARLIER_SNAPSHOTS);
});

test('near every position that the kept ones reach, an older one is not much further from now than it', () => {
  const history = fc.record({
    until: fc.integer({ min: 10 * SPACING, max: REACH }),
    step: fc.integer({ min: 400, max: SPACING }),
    age: fc.integer({ min: 0, max: REACH }),
  });
  fc.assert(
    fc.property(history, ({ until, step, age }) => {
      const kept = keptOf(every(step, until));
      const asked = until - age;
      const found = kept.findLast(position => position <= asked) ?? 0;
      // Nothing is asked from before the first event.
      if (asked < 0) return;
      expect(asked - found).toBeLessThanOrEqual(3 * age + 4 * SPACING);
    }),
    { numRuns: 50 },
  );
});
