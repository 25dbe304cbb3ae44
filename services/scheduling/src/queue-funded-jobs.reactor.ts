import type { Reactor } from '@astro/event-sourcing/reactor';
import type { AccountEvent, ReservationDeclined } from '@astro/messages/billing';
import { changeOf, tenantAccount } from '@astro/messages/ledger-accounts';
import type { FailJob, JobCommand } from '@astro/messages/scheduling';
import { isBookingId } from './confirm-funded-bookings.reactor.js';

/** A job is queued once its money is reserved, and fails when it cannot be. */
export const queueFundedJobs: Reactor<AccountEvent, JobCommand> = {
  name: 'scheduling.queue-funded-jobs',
  reads: ['billing.account'],

  react({ event: { type, data } }) {
    if ('jobId' in data && isBookingId(data.jobId)) return [];
    switch (type) {
      case 'FundsReserved': {
        const { tenantId, jobId, postings } = data;
        const reservedAtto = changeOf(tenantAccount(tenantId, 'reserved'), postings);
        return [{ to: toJob(jobId), type: 'QueueJob', data: { jobId, reservedAtto } }];
      }
      case 'ReservationDeclined': {
        const { jobId } = data;
        return [{ to: toJob(jobId), type: 'FailJob', data: { jobId, ...whyDeclined(data) } }];
      }
      default:
        // The account's other events are another context's own affair.
        return [];
    }
  },
};

function whyDeclined(declined: ReservationDeclined): Pick<FailJob, 'reason' | 'detail'> {
  const { requiredAtto, availableAtto, budget } = declined;
  const needed = `${requiredAtto} atto are needed`;
  return budget
    ? { reason: 'budget_exceeded', detail: `${needed}, budget ${budget.budgetId} leaves ${budget.leftAtto}` }
    : { reason: 'insufficient_funds', detail: `${needed}, ${availableAtto} are available` };
}

const toJob = (id: string) => ({ type: 'scheduling.job', id }) as const;
