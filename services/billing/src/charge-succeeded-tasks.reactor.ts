import type { Reactor } from '@astro/event-sourcing/reactor';
import type { AccountCommand } from '@astro/messages/billing';
import type { JobEvent } from '@astro/messages/scheduling';
import type { FeeTerms } from './account/fee.js';

/** Only verified work is charged: a task succeeds when its result is verified, and names the agreeing results. */
export const chargeSucceededTasks = (inForce: () => FeeTerms): Reactor<JobEvent, AccountCommand> => ({
  name: 'billing.charge-succeeded-tasks',
  reads: ['scheduling.job'],

  react({ event: { type, data }, recordedAt: causedAt }) {
    if (type !== 'TaskSucceeded') return [];
    const { tenantId, jobId, taskId, work } = data;
    const to = { type: 'billing.account', id: tenantId } as const;
    return [{ to, type: 'ChargeTask', data: { tenantId, jobId, taskId, work, ...inForce(), causedAt } }];
  },
});
