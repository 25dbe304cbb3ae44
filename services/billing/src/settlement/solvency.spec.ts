import { expect, test } from '@jest/globals';
import type { Share } from '@astro/messages/billing';
import { canPay, dueOf } from './solvency.js';

const now = new Date('2026-01-02T00:00:00Z');
const after = (hours: number) => new Date(now.getTime() + hours * 3_600_000);
const funds = (announcedAtto: bigint, availableAt: Date) => ({
  balanceAtto: 100n,
  announcedAtto,
  availableAt,
});

test('a tenant can pay as much as it has', () => {
  const nothingAnnounced = funds(0n, new Date(0));
  expect([canPay(100n, nothingAnnounced, now), canPay(101n, nothingAnnounced, now)]).toEqual([true, false]);
});

test('what a tenant can take out before the settlement is on the chain does not count', () => {
  expect(canPay(61n, funds(40n, after(1)), now)).toBe(false);
  expect(canPay(60n, funds(40n, after(1)), now)).toBe(true);
  expect(canPay(100n, funds(100n, after(2)), now)).toBe(true);
});

test('all shares of a tenant under the same fee are due together', () => {
  const share = (tenantId: string, feeBps: number): Share => ({
    ...{ tenantId, operatorId: 'o', feeBps, burnBps: 0 },
    ...{ netAtto: 98n, feeAtto: 2n, burnedAtto: 0n },
  });
  const due = dueOf([share('a', 200), share('a', 200), share('b', 200), share('b', 300)], {
    feeBps: 200,
    burnBps: 0,
  });
  expect([...due]).toEqual([
    ['a', 200n],
    ['b', 100n],
  ]);
});
