import type { Reactor } from '@astro/event-sourcing/reactor';
import type { AccountEvent } from '@astro/messages/billing';
import { changeOf, tenantAccount } from '@astro/messages/ledger-accounts';
import type { JobCommand } from '@astro/messages/scheduling';

/** A job is queued once its money is reserved, and fails when it cannot be. */
export const queueFundedJobs: Reactor<AccountEvent, JobCommand> = {
  name: 'scheduling.queue-funded-jobs',
  reads: ['billing.account'],

  react({ event: { type, data } }) {
    switch (type) {
      case 'FundsReserved': {
        const { tenantId, jobId, postings } = data;
        const reservedAtto = changeOf(tenantAccount(tenantId, 'reserved'), postings);
        return [{ to: toJob(jobId), type: 'QueueJob', data: { jobId, reservedAtto } }];
      }
      case 'ReservationDeclined': {
        const { jobId, requiredAtto, availableAtto } = data;
        const detail = `${requiredAtto} atto are needed, ${availableAtto} are available`;
        return [{ to: toJob(jobId), type: 'FailJob', data: { jobId, reason: 'insufficient_funds', detail } }];
      }
      default:
        // The account's other events are another context's own affair.
        return [];
    }
  },
};

const toJob = (id: string) => ({ type: 'scheduling.job', id }) as const;
