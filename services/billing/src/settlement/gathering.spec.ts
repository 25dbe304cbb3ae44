import { expect, test } from '@jest/globals';
import type { Recorded } from '@astro/event-sourcing/recorded';
import type { AccountEvent, Posting } from '@astro/messages/billing';
import type { FeeTerms } from '../account/fee.js';
import { Gathering } from './gathering.js';

const charged = (
  position: number,
  postings: readonly Posting[],
  fee: Partial<FeeTerms> = {},
): Recorded<AccountEvent> => ({
  id: `event_${position}`,
  aggregate: { type: 'billing.account', id: 'tenant_1' },
  event: {
    type: 'TaskCharged',
    data: {
      tenantId: 'tenant_1',
      jobId: 'job_1',
      taskId: 'task_1',
      feeBps: 250,
      burnBps: 0,
      ...fee,
      meteredMs: 1,
      work: [],
      postings,
    },
  },
  position,
  recordedAt: new Date(0),
  metadata: { correlationId: 'c', causationId: 'c', actor: 'service:billing' },
});
const earned = [
  { account: 'operator:one:earned', amountAtto: 39n },
  { account: 'platform:fees', amountAtto: 1n },
];
const limits = { chargesMax: 1, everyMs: 0, nowMs: 1 };

test('a charge of nothing makes no batch, and none larger', () => {
  const gathering = new Gathering(0);
  expect(gathering.take(charged(7, []))).toBe(true);
  expect([gathering.isDue(limits), gathering.terms, gathering.to]).toEqual([false, undefined, 0]);
  gathering.take(charged(9, earned));
  gathering.take(charged(11, []));
  expect([gathering.isDue(limits), gathering.to, gathering.shares.length]).toEqual([true, 9, 1]);
});

test('a charge that validators have a share of begins another batch', () => {
  const gathering = new Gathering(0);
  gathering.take(charged(7, earned));
  expect(gathering.take(charged(8, earned, { validatorBps: 0 }))).toBe(true);
  expect(gathering.take(charged(9, earned, { validatorBps: 1 }))).toBe(false);
  expect([gathering.to, gathering.terms]).toEqual([8, { feeBps: 250, burnBps: 0 }]);
});
