import type { Reactor } from '@astro/event-sourcing/reactor';
import type { AccountCommand } from '@astro/messages/billing';
import type { PoolEvent } from '@astro/messages/scheduling';

/** More is set aside for a job before more of it is placed. */
export const extendReservations: Reactor<PoolEvent, AccountCommand> = {
  name: 'billing.extend-reservations',
  reads: ['scheduling.pool'],

  react({ event: { type, data }, recordedAt: causedAt }) {
    if (type !== 'FundsRequested') return [];
    const { tenantId, jobId, number, amountAtto, leastAtto } = data;
    const to = { type: 'billing.account', id: tenantId } as const;
    return [
      { to, type: 'ExtendReservation', data: { tenantId, jobId, number, amountAtto, leastAtto, causedAt } },
    ];
  },
};
