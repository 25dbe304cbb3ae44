import type { Reactor } from '@astro/event-sourcing/reactor';
import type { AccountCommand } from '@astro/messages/billing';
import type { JobEvent } from '@astro/messages/scheduling';
import { scopeOf } from './account/budgets.js';

/** Money is reserved before anything is placed: the most the job can cost. */
export const reserveForSubmittedJobs: Reactor<JobEvent, AccountCommand> = {
  name: 'billing.reserve-for-submitted-jobs',
  reads: ['scheduling.job'],

  react({ event: { type, data }, position: causePosition, recordedAt: causedAt }) {
    if (type !== 'JobSubmitted') return [];
    const { tenantId, jobId, maxCostAtto: amountAtto, spec, apiKeyId } = data;
    const to = { type: 'billing.account', id: tenantId } as const;
    const scope = scopeOf({ project: spec.project, apiKeyId });
    const cause = { causePosition, causedAt };
    return [{ to, type: 'ReserveFunds', data: { tenantId, jobId, amountAtto, ...scope, ...cause } }];
  },
};
