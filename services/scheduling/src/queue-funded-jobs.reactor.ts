import type { Reactor } from '@astro/event-sourcing/reactor';
import type { AccountEvent } from '@astro/messages/billing';
import type { JobCommand } from '@astro/messages/scheduling';
import { isBookingId } from './confirm-funded-bookings.reactor.js';

/** A job is queued once its money is reserved, and fails when it cannot be. */
export const queueFundedJobs: Reactor<AccountEvent, JobCommand> = {
  name: 'scheduling.queue-funded-jobs',
  reads: ['billing.account'],

  react({ event: { type, data } }) {
    if ('jobId' in data && isBookingId(data.jobId)) return [];
    switch (type) {
      case 'FundsReserved':
        return [{ to: toJob(data.jobId), type: 'QueueJob', data: { jobId: data.jobId } }];
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
