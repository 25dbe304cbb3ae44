import type { Reactor } from '@astro/event-sourcing/reactor';
import type { AccountCommand } from '@astro/messages/billing';
import type { PoolEvent } from '@astro/messages/scheduling';
import type { FeeSchedule } from './charge-succeeded-tasks.reactor.js';

/** A service has no result to verify: the time for which its replicas were reported running is charged. */
export const chargeServicePeriods = (inForce: () => FeeSchedule): Reactor<PoolEvent, AccountCommand> => ({
  name: 'billing.charge-service-periods',
  reads: ['scheduling.pool'],

  react({ event: { type, data } }) {
    if (type !== 'LeaseRenewed') return [];
    const { tenantId, jobId, taskId, chargeNumber, work } = data;
    const to = { type: 'billing.account', id: tenantId } as const;
    const charge = { tenantId, jobId, taskId, chargeNumber, work, ...inForce() };
    return [{ to, type: 'ChargePeriod', data: charge }];
  },
});
