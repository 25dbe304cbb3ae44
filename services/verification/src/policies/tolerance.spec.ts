import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { allIn, report } from './policies.fixture.js';
import { isWithin, tolerance } from './tolerance.js';

const figures = { quorum: 2, absolute: 0.5, relative: 0.01 };
const policy = tolerance(figures);
const numbers = (node: string, ...values: number[]) => report(node, Float64Array.from(values));

test('nearness is symmetric, and NaN and infinities are near nothing', () => {
  const anyNumber = fc.oneof(fc.double(), fc.constantFrom(NaN, Infinity, -Infinity, 0, -0, Number.MAX_VALUE));
  fc.assert(
    fc.property(anyNumber, anyNumber, (one, other) => {
      expect(isWithin(one, other, figures)).toBe(isWithin(other, one, figures));
      if (!Number.isFinite(one)) expect(isWithin(one, one, figures)).toBe(false);
      if (Number.isFinite(one)) expect(isWithin(one, one, figures)).toBe(true);
    }),
  );
});

describe('tolerance', () => {
  test('believes two that are near, with the numbers of the first by node id', () => {
    const reports = [numbers('b', 100), numbers('a', 101)];
    expect(policy.judge(reports, allIn(reports))).toEqual({
      status: 'accepted',
      agreed: [1, 0],
      culprits: [],
    });
  });
  test('refutes who is further than twice the bounds, and not who is between', () => {
    const reports = [numbers('a', 100), numbers('b', 101), numbers('c', 102.4), numbers('d', 150)];
    expect(policy.judge(reports, allIn(reports))).toMatchObject({
      status: 'accepted',
      culprits: [{ index: 3, why: 'ClaimIsOutOfBounds' }],
    });
  });
  test.each([
    ['NaN', [NaN], 'ClaimIsNotFinite'],
    ['an infinity', [Infinity], 'ClaimIsNotFinite'],
    ['numbers too many', [100, 100], 'ShapeDiffers'],
    ['none', [], 'ShapeDiffers'],
  ])('takes no part with %s', (_title, values, why) => {
    const reports = [numbers('a', ...values), numbers('b', 100), numbers('c', 100)];
    expect(policy.judge(reports, allIn(reports))).toMatchObject({
      status: 'accepted',
      agreed: [1, 2],
      culprits: [{ index: 0, why }],
    });
    const alike = [numbers('a', ...values, NaN), numbers('b', ...values, NaN)];
    expect(policy.judge(alike, allIn(alike)).status).toBe('wanting');
  });
  test('refutes none of those who are within half the bounds of the truth', () => {
    fc.assert(
      fc.property(
        fc.double({ min: -1e6, max: 1e6, noNaN: true }),
        fc.array(fc.double({ min: -0.24, max: 0.24, noNaN: true }), { minLength: 2, maxLength: 6 }),
        (truth, errors) => {
          const reports = errors.map((error, index) => numbers(`${index}`, truth + error));
          expect(policy.judge(reports, allIn(reports))).toMatchObject({ status: 'accepted', culprits: [] });
        },
      ),
    );
  });
});
