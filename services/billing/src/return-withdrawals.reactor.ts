import type { Reactor } from '@astro/event-sourcing/reactor';
import type { AccountCommand, EscrowEvent } from '@astro/messages/billing';

/** What the chain will not pay, the tenant can spend again. */
export const returnWithdrawals: Reactor<EscrowEvent, AccountCommand> = {
  name: 'billing.return-withdrawals',
  reads: ['billing.escrow'],

  react({ event: { type, data } }) {
    if (type !== 'WithdrawalRefused') return [];
    return [{ to: { type: 'billing.account', id: data.tenantId }, type: 'ReturnWithdrawal', data }];
  },
};
