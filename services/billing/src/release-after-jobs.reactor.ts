import type { Directed, Reactor } from '@astro/event-sourcing/reactor';
import type { AccountCommand } from '@astro/messages/billing';
import type { JobEvent, JobSucceeded } from '@astro/messages/scheduling';

/** However a job ends, what was reserved for it and not charged comes back. */
export const releaseAfterJobs: Reactor<JobEvent, AccountCommand> = {
  name: 'billing.release-after-jobs',
  reads: ['scheduling.job'],

  react({ event: { type, data }, position }) {
    switch (type) {
      case 'JobFailed':
      case 'JobCancelled':
        return data.isSettledByPool ? [] : release(data, position);
      case 'JobSucceeded':
        return release(data, position);
      case 'JobSubmitted':
      case 'JobQueued':
      case 'JobScaled':
      case 'JobShortOfFunds':
      case 'JobFundedAgain':
      case 'TaskSucceeded':
      case 'RequestsCounted':
        return [];
    }
  },
};

function release(
  { tenantId, jobId, tasksSucceeded }: JobSucceeded,
  causePosition: number,
): readonly Directed<AccountCommand>[] {
  const to = { type: 'billing.account', id: tenantId } as const;
  return [
    { to, type: 'ReleaseFunds', data: { tenantId, jobId, expectedCharges: tasksSucceeded, causePosition } },
  ];
}
