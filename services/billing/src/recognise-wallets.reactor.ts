import type { Reactor } from '@astro/event-sourcing/reactor';
import type { EscrowCommand } from '@astro/messages/billing';
import type { WalletsEvent } from '@astro/messages/registry';

/** Whoever links an address owns what was paid in for it, and is paid there. */
export const recogniseWallets: Reactor<WalletsEvent, EscrowCommand> = {
  name: 'billing.recognise-wallets',
  reads: ['registry.wallets'],

  react({ event: { data }, aggregate: { id } }) {
    const { address, ownerId } = data;
    return [{ to: { type: 'billing.escrow', id }, type: 'RecogniseWallet', data: { address, ownerId } }];
  },
};
