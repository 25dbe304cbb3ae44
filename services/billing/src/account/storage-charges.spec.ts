import { describe, test } from '@jest/globals';
import { specify } from '@astro/event-sourcing/specify';
import type { AccountCommand, AccountEvent, ChargeStorage } from '@astro/messages/billing';
import { account } from './account.js';

const given = specify(account);
const tenantId = 'tenant_1';
const available = 'tenant:tenant_1:available';
const hour = (count: number) => new Date(count * 3_600_000);

const credited = (amountAtto: bigint, creditId = 'credit_1'): AccountEvent => ({
  type: 'AccountCredited',
  data: {
    tenantId,
    creditId,
    postings: [
      { account: 'escrow:custody', amountAtto: -amountAtto },
      { account: available, amountAtto },
    ],
  },
});
/** Two and a half GiB-hours at 80 each: 200. */
const period = {
  ...{ tenantId, from: hour(1), through: hour(2) },
  ...{ gibHoursAtto: 25n * 10n ** 17n, pricePerGibHourAtto: 80n },
};
const fees = { feeBps: 250, burnBps: 2_000 };
const charge = (changes: Partial<ChargeStorage> = {}): AccountCommand => ({
  type: 'ChargeStorage',
  data: { ...period, operatorId: 'keeper', ...fees, ...changes },
});
const charged = (arrearsAtto = 0n, changes: Partial<ChargeStorage> = {}): AccountEvent => {
  const dueAtto = 200n + arrearsAtto;
  const feeAtto = (dueAtto * 250n) / 10_000n;
  const burnedAtto = feeAtto / 5n;
  const postings = [
    { account: available, amountAtto: -dueAtto },
    { account: 'operator:keeper:earned', amountAtto: dueAtto - feeAtto },
    { account: 'platform:fees', amountAtto: feeAtto - burnedAtto },
    { account: 'platform:burned', amountAtto: burnedAtto },
  ];
  return {
    type: 'StorageCharged',
    data: { ...period, arrearsAtto, operatorId: 'keeper', ...fees, postings, ...changes },
  };
};
const unpaid = (dueAtto: bigint, availableAtto: bigint): AccountEvent => ({
  type: 'StorageUnpaid',
  data: { ...period, dueAtto, availableAtto },
});
const next = { from: hour(2), through: hour(3) };

describe('what the platform kept', () => {
  test('is paid to who keeps it, less the fee', () => given(credited(1_000n)).when(charge()).then(charged()));
  test('is charged once for each period', () =>
    given(credited(1_000n), charged()).when(charge()).thenNothing());
  test('is not charged for a period before one that was', () =>
    given(credited(1_000n), charged())
      .when(charge({ through: hour(1) }))
      .thenNothing());
  test('is rounded up to a base unit', () =>
    given(credited(1_000n))
      .when(charge({ gibHoursAtto: 1n }))
      .then({
        type: 'StorageCharged',
        data: {
          ...{ ...period, gibHoursAtto: 1n, arrearsAtto: 0n, operatorId: 'keeper', ...fees },
          postings: [
            { account: available, amountAtto: -1n },
            { account: 'operator:keeper:earned', amountAtto: 1n },
          ],
        },
      }));
  test('costs nothing without a price', () =>
    given(credited(1_000n))
      .when(charge({ pricePerGibHourAtto: 0n }))
      .thenNothing());
  test('is due when there is not enough for all of it', () =>
    given(credited(199n)).when(charge()).then(unpaid(200n, 199n)));
  test('is not due twice for one period', () =>
    given(credited(199n), unpaid(200n, 199n), credited(9n, 'credit_2')).when(charge()).thenNothing());
  test('and could not be paid is paid with the next period', () =>
    given(credited(199n), unpaid(200n, 199n), credited(801n, 'credit_2'))
      .when(charge(next))
      .then(charged(200n, next)));
});

describe('a charge is refused', () => {
  test('for less than nothing kept', () =>
    given(credited(1_000n))
      .when(charge({ gibHoursAtto: -1n }))
      .thenRejected('StorageChargeIsInvalid'));
  test('at a price below nothing', () =>
    given(credited(1_000n))
      .when(charge({ pricePerGibHourAtto: -1n }))
      .thenRejected('StorageChargeIsInvalid'));
  test('with a fee out of bounds', () =>
    given(credited(1_000n))
      .when(charge({ feeBps: 501 }))
      .thenRejected('StorageChargeIsInvalid'));
});
