import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { arrayFault, arrayOutcome, indicesToBegin, notBegun, type ArraySpec } from './array-job.js';

const spec: ArraySpec = { size: 10, maxParallel: 3 };

describe('an array', () => {
  test('begins as many indices as may run at once, the lowest first', () =>
    expect(indicesToBegin(spec, notBegun)).toEqual([0, 1, 2]));

  test('begins one more for each that has ended', () =>
    expect(indicesToBegin(spec, { begun: 3, succeeded: 1, failed: 1 })).toEqual([3, 4]));

  test('begins nothing past its end', () =>
    expect(indicesToBegin(spec, { begun: 10, succeeded: 9, failed: 0 })).toEqual([]));

  test('begins nothing when too many have failed', () => {
    const progress = { begun: 5, succeeded: 1, failed: 2 };
    expect(indicesToBegin({ ...spec, failuresMax: 2 }, progress)).toEqual([]);
    expect(arrayOutcome({ ...spec, failuresMax: 2 }, progress)).toBe('running'); // two are still open
    expect(arrayOutcome({ ...spec, failuresMax: 2 }, { ...progress, failed: 4 })).toBe('failed');
  });

  test('every index is begun once, no more run at once than may, and the end is as the indices say', () => {
    const anySpec = fc.integer({ min: 1, max: 40 }).chain(size =>
      fc.record({
        size: fc.constant(size),
        maxParallel: fc.integer({ min: 1, max: size }),
        failuresMax: fc.option(fc.integer({ min: 1, max: size }), { nil: undefined }),
      }),
    );
    fc.assert(
      fc.property(anySpec, fc.infiniteStream(fc.integer({ min: 0, max: 9 })), (any, ends) => {
        const array: ArraySpec =
          any.failuresMax === undefined
            ? { size: any.size, maxParallel: any.maxParallel }
            : { ...any, failuresMax: any.failuresMax };
        const begun: number[] = [];
        let [succeeded, failed] = [0, 0];
        const progress = () => ({ begun: begun.length, succeeded, failed });
        while (arrayOutcome(array, progress()) === 'running') {
          begun.push(...indicesToBegin(array, progress()));
          expect(begun.length - succeeded - failed).toBeLessThanOrEqual(array.maxParallel);
          if (ends.next().value! > 1) succeeded += 1;
          else failed += 1;
        }
        expect(begun).toEqual(begun.map((_, index) => index));
        const isWhole = begun.length === array.size;
        expect(isWhole || failed >= (array.failuresMax ?? Infinity)).toBe(true);
        expect(arrayOutcome(array, progress())).toBe(isWhole && failed === 0 ? 'succeeded' : 'failed');
      }),
    );
  });
});

test.each<[string, Partial<ArraySpec>]>([
  ['size', { size: 0 }],
  ['size', { size: 2 ** 64 }],
  ['maxParallel', { maxParallel: 11 }],
  ['maxParallel', { maxParallel: NaN }],
  ['failuresMax', { failuresMax: 0 }],
])('a bad %s is named', (field, fields) =>
  expect(arrayFault({ ...spec, ...fields })).toMatch(new RegExp(`^${field}:`)),
);

test('a sound array has no fault', () => expect(arrayFault(spec)).toBeUndefined());
