import type { Reactor } from '@astro/event-sourcing/reactor';
import type { AccountCommand } from '@astro/messages/billing';
import type { JobEvent } from '@astro/messages/scheduling';

/** Money is reserved before anything is placed: the most the job can cost. */
export const reserveForSubmittedJobs: Reactor<JobEvent, AccountCommand> = {
  name: 'billing.reserve-for-submitted-jobs',
  reads: ['scheduling.job'],

  react({ event: { type, data }, position: causePosition }) {
    if (type !== 'JobSubmitted') return [];
    const { tenantId, jobId, maxCostAtto } = data;
    const to = { type: 'billing.account', id: tenantId } as const;
    return [{ to, type: 'ReserveFunds', data: { tenantId, jobId, amountAtto: maxCostAtto, causePosition } }];
  },
};
