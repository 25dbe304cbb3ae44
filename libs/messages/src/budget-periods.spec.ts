import { expect, test } from '@jest/globals';
import { periodEnd, periodStart } from './budget-periods.js';
import type { BudgetPeriod } from './gen/billing.js';

test.each<[BudgetPeriod, string, string, string]>([
  ['day', '2028-02-29T23:59:59.999Z', '2028-02-29T00:00:00.000Z', '2028-03-01T00:00:00.000Z'],
  ['day', '2026-12-31T00:00:00.000Z', '2026-12-31T00:00:00.000Z', '2027-01-01T00:00:00.000Z'],
  ['month', '2026-12-31T23:59:59.999Z', '2026-12-01T00:00:00.000Z', '2027-01-01T00:00:00.000Z'],
  ['month', '2026-02-01T00:00:00.000Z', '2026-02-01T00:00:00.000Z', '2026-03-01T00:00:00.000Z'],
])('the %s of %s is from %s to %s', (period, at, start, end) => {
  expect(periodStart(period, new Date(at)).toISOString()).toBe(start);
  expect(periodEnd(period, new Date(at))?.toISOString()).toBe(end);
});

test('without a period all time is one, and does not end', () => {
  expect(periodStart('none', new Date())).toEqual(new Date(0));
  expect(periodEnd('none', new Date())).toBeUndefined();
});
