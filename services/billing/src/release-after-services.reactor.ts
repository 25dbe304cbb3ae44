import type { Reactor } from '@astro/event-sourcing/reactor';
import type { AccountCommand } from '@astro/messages/billing';
import type { PoolEvent } from '@astro/messages/scheduling';

/** Only the pool knows how many charges a service has run up, and it knows them all once the service has left it. */
export const releaseAfterServices: Reactor<PoolEvent, AccountCommand> = {
  name: 'billing.release-after-services',
  reads: ['scheduling.pool'],

  react({ event: { type, data }, position: causePosition }) {
    if ((type !== 'JobClosed' && type !== 'JobAbandoned') || !data.settlement) return [];
    const { tenantId, charges: expectedCharges } = data.settlement;
    const to = { type: 'billing.account', id: tenantId } as const;
    return [
      { to, type: 'ReleaseFunds', data: { tenantId, jobId: data.jobId, expectedCharges, causePosition } },
    ];
  },
};
