import type { GatheringReactor } from '@astro/event-sourcing/reactor';
import type { AccountCommand, FundsTransferred, IncomingTransfer } from '@astro/messages/billing';
import { changeOf, tenantAccount } from '@astro/messages/ledger-accounts';
import type { Message } from '@astro/event-sourcing/decider';

type Transferred = Message<'FundsTransferred', FundsTransferred>;

/** What was given becomes spendable: one command for each receiver, however many have given to it. */
export const receiveTransfers: GatheringReactor<Transferred, AccountCommand> = {
  name: 'billing.receive-transfers',
  reads: 'billing.account',
  gathers: ['FundsTransferred'],

  reactToAll(run) {
    const byReceiver = new Map<string, IncomingTransfer[]>();
    for (const { event, position } of run) {
      const { toTenantId, transferId, postings } = event.data;
      const amountAtto = changeOf(tenantAccount(toTenantId, 'incoming'), postings);
      const transfers = byReceiver.get(toTenantId) ?? [];
      transfers.push({ position, transferId, amountAtto });
      byReceiver.set(toTenantId, transfers);
    }
    return [...byReceiver].map(([tenantId, transfers]) => {
      const to = { type: 'billing.account', id: tenantId } as const;
      return { to, type: 'ReceiveTransfers', data: { tenantId, transfers } };
    });
  },
};
