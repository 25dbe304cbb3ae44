import type { Reactor } from '@astro/event-sourcing/reactor';
import type { AccountEvent } from '@astro/messages/billing';
import { changeOf, tenantAccount } from '@astro/messages/ledger-accounts';
import type { PoolCommand } from '@astro/messages/scheduling';

/**
 * What the pool asked for is there, or is not.
 * @param poolId the pool of the job, which billing does not know
 */
export const followExtensions = (poolId: string): Reactor<AccountEvent, PoolCommand> => ({
  name: 'scheduling.follow-extensions',
  reads: ['billing.account'],

  react({ event: { type, data }, recordedAt: at }) {
    const to = { type: 'scheduling.pool', id: poolId } as const;
    switch (type) {
      case 'ReservationExtended': {
        const { tenantId, jobId, number, postings } = data;
        const amountAtto = changeOf(tenantAccount(tenantId, 'reserved'), postings);
        return [{ to, type: 'AddFunds', data: { poolId, jobId, number, amountAtto } }];
      }
      case 'ExtensionDeclined': {
        const { jobId, number, requiredAtto, budget } = data;
        // There may be more money than the budget lets the job have.
        const availableAtto = budget?.leftAtto ?? data.availableAtto;
        const declined = { poolId, jobId, number, requiredAtto, availableAtto, at };
        const why = budget ? { budgetId: budget.budgetId } : {};
        return [{ to, type: 'DeclineFunds', data: { ...declined, ...why } }];
      }
      default:
        // The account's other events are another context's own affair.
        return [];
    }
  },
});
