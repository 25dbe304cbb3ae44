import type { Reactor } from '@astro/event-sourcing/reactor';
import type { AccountCommand } from '@astro/messages/billing';
import type { JobEvent } from '@astro/messages/scheduling';

/** However a job ends, what was reserved for it and not charged comes back. */
export const releaseAfterJobs: Reactor<JobEvent, AccountCommand> = {
  name: 'billing.release-after-jobs',
  reads: ['scheduling.job'],

  react({ event: { type, data } }) {
    switch (type) {
      case 'JobSucceeded':
      case 'JobFailed':
      case 'JobCancelled': {
        const { tenantId, jobId, tasksSucceeded } = data;
        const to = { type: 'billing.account', id: tenantId } as const;
        return [{ to, type: 'ReleaseFunds', data: { tenantId, jobId, expectedCharges: tasksSucceeded } }];
      }
      case 'JobSubmitted':
      case 'JobQueued':
      case 'TaskSucceeded':
        return [];
    }
  },
};
