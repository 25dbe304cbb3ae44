import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { curveFault, nextPostedPrice, priceAtUse, type PriceCurve } from './posted-price.js';

const curve: PriceCurve = { floorAtto: 100n, ceilingAtto: 500n, kneePermille: 500, stepMaxPermille: 100 };
const anyCurve = fc
  .record({
    floorAtto: fc.bigInt({ min: 0n, max: 10n ** 30n }),
    rise: fc.bigInt({ min: 0n, max: 10n ** 30n }),
    kneePermille: fc.integer({ min: 0, max: 999 }),
    stepMaxPermille: fc.integer({ min: 1, max: 1_000 }),
  })
  .map(({ rise, ...rest }) => ({ ...rest, ceilingAtto: rest.floorAtto + rise }));
const anyMillis = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

describe('what the use of a class is worth', () => {
  test.each([
    [0, 100n],
    [5_000, 100n],
    [7_500, 200n], // half of the rest: a quarter of the rise
    [10_000, 500n],
    [12_000, 500n],
  ])('%d of 10,000 thousandths', (usedMillis, priceAtto) =>
    expect(priceAtUse(curve, { usedMillis, totalMillis: 10_000 })).toBe(priceAtto),
  );

  test('a class without devices is at its ceiling', () =>
    expect(priceAtUse(curve, { usedMillis: 0, totalMillis: 0 })).toBe(500n));

  test('lies between floor and ceiling and never falls when use rises', () => {
    fc.assert(
      fc.property(anyCurve, anyMillis, anyMillis, anyMillis, (any, totalMillis, a, b) => {
        const less = priceAtUse(any, { usedMillis: Math.min(a, b), totalMillis });
        const more = priceAtUse(any, { usedMillis: Math.max(a, b), totalMillis });
        expect(any.floorAtto <= less && less <= more && more <= any.ceilingAtto).toBe(true);
      }),
    );
  });

  test.each([-1, NaN, 0.5, 2 ** 64])('the use %d is refused', usedMillis =>
    expect(() => priceAtUse(curve, { usedMillis, totalMillis: 1 })).toThrow(/^usedMillis:/),
  );
});

describe('the next posted price', () => {
  test('moves by no more than a step', () => {
    expect(nextPostedPrice(curve, 200n, { usedMillis: 10, totalMillis: 10 })).toBe(220n);
    expect(nextPostedPrice(curve, 200n, { usedMillis: 0, totalMillis: 10 })).toBe(180n);
  });

  test('stays within the bounds and arrives at what the use is worth, from wherever it was', () => {
    const small = fc.bigInt({ min: 0n, max: 2_000n });
    fc.assert(
      fc.property(small, anyMillis, anyMillis, (startAtto, usedMillis, totalMillis) => {
        let postedAtto = startAtto;
        for (let step = 0; step < 200; step++) {
          const next = nextPostedPrice(curve, postedAtto, { usedMillis, totalMillis });
          expect(next >= curve.floorAtto && next <= curve.ceilingAtto).toBe(true);
          postedAtto = next;
        }
        expect(postedAtto).toBe(priceAtUse(curve, { usedMillis, totalMillis }));
      }),
    );
  });

  test('a price of nothing can rise again', () =>
    expect(nextPostedPrice({ ...curve, floorAtto: 0n }, 0n, { usedMillis: 1, totalMillis: 1 })).toBe(1n));
});

test.each<[string, Partial<PriceCurve>]>([
  ['floorAtto', { floorAtto: -1n }],
  ['ceilingAtto', { ceilingAtto: 99n }],
  ['kneePermille', { kneePermille: 1_000 }],
  ['kneePermille', { kneePermille: NaN }],
  ['stepMaxPermille', { stepMaxPermille: 0 }],
])('a curve with a bad %s is faulty', (field, fields) =>
  expect(curveFault({ ...curve, ...fields })).toMatch(new RegExp(`^${field}:`)),
);

test('a sound curve has no fault', () => expect(curveFault(curve)).toBeUndefined());
