import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { earliestFit } from './earliest-fit.js';

/** Leases of one unit each; something fits once `needed` units are free. */
function look(endsMs: readonly number[], needed: number, looksMax?: number) {
  let [free, looks] = [0, 0];
  const found = earliestFit(
    endsMs.map(ends => ({ endsMs: ends })),
    () => (free += 1),
    () => {
      looks += 1;
      return free >= needed ? free : undefined;
    },
    looksMax,
  );
  return { found, looks };
}

test('it fits when the lease in its way ends, and did not when the one before did', () => {
  expect(look([10, 20, 30], 2).found).toEqual({ fromMs: 20, notYetMs: 10, fit: 2 });
  expect(look([10, 20, 30], 1).found).toEqual({ fromMs: 10, fit: 1 });
  expect(look([10, 20, 30], 4).found).toBeUndefined();
});

test('leases that end together give back together, however few looks there are', () => {
  expect(look([10, 10, 10, 20], 2)).toEqual({ found: { fromMs: 10, fit: 3 }, looks: 1 });
  expect(look([10, 20, 20, 20, 20], 3, 2).found).toEqual({ fromMs: 20, fit: 5 });
});

test('fewer looks give a later time from which it fits, and an earlier one at which it did not', () => {
  const ends = fc.array(fc.nat({ max: 100 }), { minLength: 1, maxLength: 50 });
  fc.assert(
    fc.property(
      ends,
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 10 }),
      (all, needed, most) => {
        const sorted = all.toSorted((a, b) => a - b);
        const [exact, coarse] = [look(sorted, needed), look(sorted, needed, most)];
        expect(coarse.looks).toBeLessThanOrEqual(most);
        expect(coarse.found === undefined).toBe(exact.found === undefined);
        if (!exact.found || !coarse.found) return;
        expect(coarse.found.fromMs).toBeGreaterThanOrEqual(exact.found.fromMs);
        expect(coarse.found.notYetMs ?? -1).toBeLessThanOrEqual(exact.found.notYetMs ?? -1);
        // All that ends before it fits has ended.
        expect(sorted.filter(ms => ms <= coarse.found!.fromMs)).toHaveLength(coarse.found.fit);
      },
    ),
  );
});
