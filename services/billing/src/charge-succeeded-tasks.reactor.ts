import type { Reactor } from '@astro/event-sourcing/reactor';
import type { AccountCommand } from '@astro/messages/billing';
import type { JobEvent } from '@astro/messages/scheduling';

/** The fee schedule in force; each charge records the one it was made with. */
export type FeeSchedule = {
  /** The platform's part of a charge. */
  readonly feeBps: number;
  /** The part of the fee that is burned. */
  readonly burnBps: number;
};

/** Only verified work is charged: a task succeeds when its result is verified, and names the agreeing results. */
export const chargeSucceededTasks = (inForce: () => FeeSchedule): Reactor<JobEvent, AccountCommand> => ({
  name: 'billing.charge-succeeded-tasks',
  reads: ['scheduling.job'],

  react({ event: { type, data }, recordedAt: causedAt }) {
    if (type !== 'TaskSucceeded') return [];
    const { tenantId, jobId, taskId, work } = data;
    const to = { type: 'billing.account', id: tenantId } as const;
    return [{ to, type: 'ChargeTask', data: { tenantId, jobId, taskId, work, ...inForce(), causedAt } }];
  },
});
