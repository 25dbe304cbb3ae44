import type { Reactor } from '@astro/event-sourcing/reactor';
import { taskCostAtto } from '@astro/matching/cost';
import type { AccountCommand } from '@astro/messages/billing';
import type { JobEvent } from '@astro/messages/scheduling';
import { scopeOf } from './account/budgets.js';

/** Money is reserved before anything is placed: for the whole job, or its first tasks when it is funded stepwise. */
export const reserveForSubmittedJobs: Reactor<JobEvent, AccountCommand> = {
  name: 'billing.reserve-for-submitted-jobs',
  reads: ['scheduling.job'],

  react({ event: { type, data }, position: causePosition, recordedAt: causedAt }) {
    if (type !== 'JobSubmitted') return [];
    const { tenantId, jobId, spec, maxCostAtto, firstReservationAtto, apiKeyId } = data;
    const to = { type: 'billing.account', id: tenantId } as const;
    const wanted =
      firstReservationAtto === undefined
        ? { amountAtto: maxCostAtto }
        : { amountAtto: firstReservationAtto, leastAtto: taskCostAtto(spec) };
    const scope = scopeOf({ project: spec.project, apiKeyId });
    const cause = { causePosition, causedAt };
    return [{ to, type: 'ReserveFunds', data: { tenantId, jobId, ...wanted, ...scope, ...cause } }];
  },
};
