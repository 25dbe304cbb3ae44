import { expect, test } from '@jest/globals';
import { differencesIn, Watch } from './reconciliation.js';

const entry = { reference: 'tenant_1/credit_1', ledgerAtto: 5n, chainAtto: 0n };

test.each([
  // what the facts say, what the contract held at the last of them, what it holds now, and what differs
  ['both say the same', 100n, undefined, 100n, []],
  ['no node remembers, and it holds something else now', 100n, undefined, 90n, [90n]],
  ['it is ahead of the facts', 100n, 100n, 130n, [130n]],
  ['it never held what the facts say', 100n, 95n, 95n, [95n, 95n]],
  ['it never did, and is ahead of them', 100n, 95n, 125n, [95n, 125n]],
  ['it never did, and happens to now', 100n, 95n, 100n, [95n]],
])('the contract against the facts: %s', (_what, chainAtto, thenAtto, nowAtto, held) =>
  expect(differencesIn(chainAtto, { thenAtto, nowAtto }, [])).toEqual(
    held.map(holds => ({ reference: 'escrow', ledgerAtto: 100n, chainAtto: holds })),
  ),
);

test('an entry that differs is named with both of its sides', () => {
  const [row] = differencesIn(0n, { thenAtto: undefined, nowAtto: 0n }, [entry]);
  expect(row).toEqual(entry);
});

const of = (reference: string, chainAtto: bigint) => ({ reference, ledgerAtto: 100n, chainAtto });

test('a difference counts after it was seen at each look for as long as the grace', () => {
  const watch = new Watch(10);
  expect(watch.lasting([of('a', 1n)], 1_000)).toEqual([]);
  expect(watch.lasting([of('a', 1n), of('b', 1n)], 1_009)).toEqual([]);
  expect(watch.lasting([of('a', 1n), of('b', 1n)], 1_010)).toEqual([of('a', 1n)]);
  expect(watch.lasting([of('b', 1n)], 1_030)).toEqual([of('b', 1n)]);
  expect(watch.lasting([of('a', 1n)], 1_031)).toEqual([]);
});

test('a difference that changes is another one, and starts anew', () => {
  const watch = new Watch(10);
  watch.lasting([of('escrow', 90n)], 1_000);
  expect(watch.lasting([of('escrow', 80n)], 1_010)).toEqual([]);
  expect(watch.lasting([of('escrow', 80n)], 1_020)).toEqual([of('escrow', 80n)]);
});

test('what the contract holds now is told rather than what it held, once both last', () => {
  const watch = new Watch(10);
  const [then, now] = [of('escrow', 95n), of('escrow', 125n)];
  watch.lasting([then, now], 1_000);
  expect(watch.lasting([then, of('escrow', 126n)], 1_010)).toEqual([then]);
  watch.lasting([then, now], 1_020);
  expect(watch.lasting([then, now], 1_030)).toEqual([now]);
});
