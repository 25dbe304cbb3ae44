import { describe, expect, test } from '@jest/globals';
import type { Recorded } from '@astro/event-sourcing/recorded';
import type { AccountEvent } from '@astro/messages/billing';
import { Gathering } from './gathering.js';

const fees = { feeBps: 250, burnBps: 2_000 };
const postingsOf = (paidFrom: string, operatorId: string) => [
  { account: `tenant:tenant_1:${paidFrom}`, amountAtto: -1_000n },
  { account: `operator:${operatorId}:earned`, amountAtto: 975n },
  { account: 'platform:fees', amountAtto: 20n },
  { account: 'platform:burned', amountAtto: 5n },
];
const task: AccountEvent = {
  type: 'TaskCharged',
  data: {
    ...{ tenantId: 'tenant_1', jobId: 'job_1', taskId: 'task_1', meteredMs: 1, ...fees },
    postings: postingsOf('reserved', 'worker'),
    work: [],
  },
};
const kept: AccountEvent = {
  type: 'StorageCharged',
  data: {
    ...{ tenantId: 'tenant_1', from: new Date(1), through: new Date(2), gibHoursAtto: 1n, ...fees },
    ...{ pricePerGibHourAtto: 1n, arrearsAtto: 0n, operatorId: 'keeper' },
    postings: postingsOf('available', 'keeper'),
  },
};
const recorded = (event: AccountEvent, position: number): Recorded<AccountEvent> => ({
  ...{ id: `event_${position}`, aggregate: { type: 'billing.account', id: 'tenant_1' }, event, position },
  ...{ recordedAt: new Date(position), metadata: { correlationId: 'c', causationId: 'c', actor: 'spec' } },
});

describe('a batch', () => {
  test('holds what was charged for work and for what was kept, each for who earned it', () => {
    const batch = new Gathering(0);
    expect([batch.take(recorded(task, 3)), batch.take(recorded(kept, 5))]).toEqual([true, true]);
    const share = { tenantId: 'tenant_1', netAtto: 975n, feeAtto: 25n, burnedAtto: 5n, ...fees };
    expect(batch.shares).toEqual([
      { ...share, operatorId: 'worker' },
      { ...share, operatorId: 'keeper' },
    ]);
    expect([batch.to, batch.terms]).toEqual([5, fees]);
  });

  test('holds nothing that was sealed before', () => {
    const batch = new Gathering(5);
    batch.take(recorded(kept, 5));
    expect([batch.shares, batch.terms]).toEqual([[], undefined]);
  });
});
