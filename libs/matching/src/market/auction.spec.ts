import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { clearAuction, type Bid, type Supply } from './auction.js';

const bid = (bidId: string, millis: number, limitAtto: bigint, sequence = 0): Bid => ({
  bidId,
  millis,
  limitAtto,
  sequence,
});
const outcomes = (bids: readonly Bid[], supply: Supply) =>
  Object.fromEntries(clearAuction(bids, supply).outcomes);

describe('clearing', () => {
  test('the highest bids win and pay the highest that lost', () => {
    const bids = [bid('a', 1, 9n), bid('b', 1, 5n), bid('c', 1, 7n)];
    const { priceAtto, soldMillis } = clearAuction(bids, { millis: 2, reserveAtto: 1n });
    expect([priceAtto, soldMillis]).toEqual([5n, 2]);
    expect(outcomes(bids, { millis: 2, reserveAtto: 1n })).toEqual({ a: 'won', b: 'outbid', c: 'won' });
  });

  test('where nobody loses the reserve price is paid', () =>
    expect(clearAuction([bid('a', 1, 9n)], { millis: 5, reserveAtto: 3n }).priceAtto).toBe(3n));

  test('nothing is given below the reserve price', () =>
    expect(outcomes([bid('a', 1, 2n)], { millis: 5, reserveAtto: 3n })).toEqual({ a: 'belowReserve' }));

  test('of equal bids the earlier wins, then the first by id, and all pay what they bid', () => {
    const bids = [bid('b', 1, 4n, 1), bid('c', 1, 4n, 0), bid('a', 1, 4n, 1)];
    expect(outcomes(bids, { millis: 2, reserveAtto: 0n })).toEqual({ a: 'won', b: 'outbid', c: 'won' });
    expect(clearAuction(bids, { millis: 2, reserveAtto: 0n }).priceAtto).toBe(4n);
  });

  test('one that wants more than is left neither wins nor holds up others, nor sets their price', () => {
    const bids = [bid('large', 9, 8n), bid('small', 1, 3n), bid('last', 1, 2n)];
    const supply = { millis: 1, reserveAtto: 1n };
    expect(outcomes(bids, supply)).toEqual({ large: 'tooLarge', small: 'won', last: 'outbid' });
    expect(clearAuction(bids, supply).priceAtto).toBe(2n);
  });

  test('without supply everybody is outbid', () =>
    expect(outcomes([bid('a', 1, 9n)], { millis: 0, reserveAtto: 1n })).toEqual({ a: 'outbid' }));

  test.each<[RegExp, readonly Bid[], number]>([
    [/^bidId: a bids twice/, [bid('a', 1, 1n), bid('a', 1, 2n)], 1],
    [/^millis: a whole number above zero/, [bid('a', 0, 1n)], 1],
    [/^millis: a whole number above zero/, [bid('a', 2 ** 64, 1n)], 1],
    [/^limitAtto:/, [bid('a', 1, -1n)], 1],
    [/^millis: a whole number, zero or more/, [], -1],
  ])('%s', (message, bids, millis) =>
    expect(() => clearAuction(bids, { millis, reserveAtto: -9n })).toThrow(message),
  );
});

const anyBids = (millisMax: number) =>
  fc
    .array(
      fc.record({
        millis: fc.integer({ min: 1, max: millisMax }),
        limitAtto: fc.bigInt({ min: 0n, max: 20n }),
        sequence: fc.nat(3),
      }),
      { maxLength: 30 },
    )
    .map(all => all.map((fields, index) => ({ ...fields, bidId: `b${index}` })));
const anySupply = fc.record({
  millis: fc.integer({ min: 0, max: 40 }),
  reserveAtto: fc.bigInt({ min: 0n, max: 10n }),
});

describe('whatever the bids', () => {
  test('nobody who won pays above the bid, nothing is below the reserve, no more is sold than there is', () => {
    fc.assert(
      fc.property(anyBids(8), anySupply, (bids, supply) => {
        const { priceAtto, soldMillis, outcomes: all } = clearAuction(bids, supply);
        const won = bids.filter(({ bidId }) => all.get(bidId) === 'won');
        expect(won.every(({ limitAtto }) => limitAtto >= priceAtto)).toBe(true);
        expect(priceAtto >= supply.reserveAtto).toBe(true);
        expect(won.reduce((sum, { millis }) => sum + millis, 0)).toBe(soldMillis);
        expect(soldMillis).toBeLessThanOrEqual(supply.millis);
        expect(all.size).toBe(bids.length);
      }),
    );
  });

  test('nobody loses to a lower bid that is no smaller', () => {
    fc.assert(
      fc.property(anyBids(8), anySupply, (bids, supply) => {
        const { outcomes: all } = clearAuction(bids, supply);
        const isLost = ({ bidId, limitAtto }: Bid) =>
          all.get(bidId) !== 'won' && limitAtto >= supply.reserveAtto;
        for (const lost of bids.filter(isLost)) {
          const below = bids.filter(other => other.limitAtto < lost.limitAtto && other.millis >= lost.millis);
          expect(below.some(({ bidId }) => all.get(bidId) === 'won')).toBe(false);
        }
      }),
    );
  });

  test('the order in which they are listed changes nothing', () => {
    fc.assert(
      fc.property(anyBids(8), anySupply, fc.nat(29), (bids, supply, turn) => {
        const turned = [...bids.slice(turn), ...bids.slice(0, turn)].reverse();
        const sorted = (all: readonly Bid[]) => {
          const { outcomes: map, ...rest } = clearAuction(all, supply);
          return { ...rest, outcomes: [...map].sort() };
        };
        expect(sorted(turned)).toEqual(sorted(bids));
      }),
    );
  });

  test('who wants a single unit gains nothing by bidding anything but its worth', () => {
    fc.assert(
      fc.property(anyBids(1), anySupply, fc.bigInt({ min: 0n, max: 25n }), (bids, supply, lieAtto) => {
        const [honest, ...others] = bids;
        if (!honest) return;
        const gain = (limitAtto: bigint) => {
          const { priceAtto, outcomes: all } = clearAuction([{ ...honest, limitAtto }, ...others], supply);
          return all.get(honest.bidId) === 'won' ? honest.limitAtto - priceAtto : 0n;
        };
        expect(gain(lieAtto) <= gain(honest.limitAtto)).toBe(true);
      }),
    );
  });
});
