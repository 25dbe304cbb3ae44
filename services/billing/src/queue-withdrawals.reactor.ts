import type { Reactor } from '@astro/event-sourcing/reactor';
import type { AccountCommand, AccountEvent, EscrowCommand } from '@astro/messages/billing';
import { changeOf, tenantAccount } from '@astro/messages/ledger-accounts';

/**
 * What is set aside is to be paid by the chain; where there is none the tenant has it back.
 * @param chainId undefined without a chain
 */
export const queueWithdrawals = (
  chainId: number | undefined,
): Reactor<AccountEvent, AccountCommand | EscrowCommand> => ({
  name: 'billing.queue-withdrawals',
  reads: ['billing.account'],

  react({ event: { type, data }, position: causePosition }) {
    if (type !== 'WithdrawalRequested') return [];
    const { tenantId, withdrawalId, address, postings } = data;
    if (chainId === undefined) {
      const to = { type: 'billing.account', id: tenantId } as const;
      const reason = 'this platform pays nothing out on a chain';
      return [{ to, type: 'ReturnWithdrawal', data: { tenantId, withdrawalId, reason } }];
    }
    const amountAtto = changeOf(tenantAccount(tenantId, 'withdrawing'), postings);
    const to = { type: 'billing.escrow', id: String(chainId) } as const;
    const asked = { tenantId, withdrawalId, address, amountAtto, causePosition };
    return [{ to, type: 'QueueWithdrawal', data: asked }];
  },
});
