import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { chargeAtto, lockPrice, type PriceOffer } from './locked-price.js';

const offer: PriceOffer = { capacityClass: 'onDemand', marketAtto: 5n, askAtto: 3n, capAtto: 9n };
const locked = (perDeviceSecondAtto: bigint) => ({ capacityClass: 'onDemand' as const, perDeviceSecondAtto });

describe('locking', () => {
  test.each<[string, Partial<PriceOffer>, ReturnType<typeof lockPrice>]>([
    ['the market price', {}, locked(5n)],
    ['the ask, where the operator wants more', { askAtto: 7n }, locked(7n)],
    ['the cap itself', { marketAtto: 9n }, locked(9n)],
    ['nothing above the cap', { marketAtto: 10n }, 'PriceIsAboveCap'],
    ['nothing when the ask is above the cap', { askAtto: 10n }, 'PriceIsAboveCap'],
  ])('%s', (_what, fields, expected) => expect(lockPrice({ ...offer, ...fields })).toEqual(expected));
});

describe('charging', () => {
  test.each([
    [7n, 1_000, 1_000, 7n],
    [7n, 500, 2_000, 7n],
    [1n, 1, 1, 1n], // a millionth of a base unit is rounded up
    [0n, 1_000, 1_000, 0n],
    [10n ** 30n, 8_000, 86_400_000, 8n * 86_400n * 10n ** 30n],
  ])('%d for %d thousandths and %d ms', (price, deviceMillis, usedMs, chargedAtto) =>
    expect(chargeAtto(locked(price), { deviceMillis, usedMs })).toBe(chargedAtto),
  );

  test('a longer or larger use never costs less, and parts cost at most one base unit each more', () => {
    const anyUse = fc.integer({ min: 0, max: 10 ** 7 });
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 24n }), anyUse, anyUse, (price, deviceMillis, usedMs) => {
        const charge = (ms: number) => chargeAtto(locked(price), { deviceMillis, usedMs: ms });
        const half = Math.floor(usedMs / 2);
        const parts = charge(half) + charge(usedMs - half);
        expect(charge(half) <= charge(usedMs)).toBe(true);
        expect(parts >= charge(usedMs) && parts <= charge(usedMs) + 1n).toBe(true);
      }),
    );
  });

  test.each([
    ['deviceMillis', { deviceMillis: -1, usedMs: 1 }],
    ['deviceMillis', { deviceMillis: 2 ** 64, usedMs: 1 }],
    ['usedMs', { deviceMillis: 1, usedMs: NaN }],
  ])('a bad %s is refused by name', (field, use) =>
    expect(() => chargeAtto(locked(1n), use)).toThrow(new RegExp(`^${field}:`)),
  );
});
