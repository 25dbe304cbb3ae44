import type { AccountEvent, StorageEvent } from '@astro/messages/billing';

const tenantId = 'tenant_1';
const hour = (count: number) => new Date(count * 3_600_000);
const period = (from: number, through: number) => ({
  ...{ tenantId, from: hour(from), through: hour(through) },
  gibHoursAtto: 10n ** 18n,
});
const price = { pricePerGibHourAtto: 10n ** 20n };

/** Two contents, of which one is given back; the first of two periods could not be paid. */
export const storageHistory: readonly (StorageEvent | AccountEvent)[] = [
  {
    type: 'ContentStored',
    data: {
      tenantId,
      contents: [
        { cid: 'cid_1', sizeBytes: 2 ** 30 },
        { cid: 'cid_2', sizeBytes: 7 },
      ],
      storedAt: hour(1),
    },
  },
  { type: 'ContentReleased', data: { tenantId, cid: 'cid_2', sizeBytes: 7, releasedAt: hour(1) } },
  {
    type: 'ContentStored',
    data: { tenantId: 'tenant_2', contents: [{ cid: 'cid_1', sizeBytes: 2 ** 30 }], storedAt: hour(3) },
  },
  { type: 'StorageMetered', data: period(1, 2) },
  { type: 'StorageUnpaid', data: { ...period(1, 2), ...price, dueAtto: 10n ** 20n, availableAtto: 1n } },
  { type: 'StorageMetered', data: period(2, 3) },
  {
    type: 'StorageCharged',
    data: {
      ...{ ...period(2, 3), ...price, arrearsAtto: 10n ** 20n },
      ...{ operatorId: 'operator_1', feeBps: 250, burnBps: 0 },
      postings: [
        { account: 'tenant:tenant_1:available', amountAtto: -2n * 10n ** 20n },
        { account: 'operator:operator_1:earned', amountAtto: 195n * 10n ** 18n },
        { account: 'platform:fees', amountAtto: 5n * 10n ** 18n },
      ],
    },
  },
];
