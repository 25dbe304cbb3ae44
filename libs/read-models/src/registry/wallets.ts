import type { Projection } from '@astro/event-sourcing/projection';
import type { KeyOwner, WalletsEvent } from '@astro/messages/registry';
import { defineEntity, type EntityManager, type InferEntity } from '@mikro-orm/postgresql';

/** Which address is whose. */
export const Wallet = defineEntity({
  name: 'Wallet',
  schema: 'registry',
  tableName: 'wallets',
  indexes: [{ properties: ['ownerId', 'chainId'] }],
  properties: p => ({
    chainId: p.bigint('number').primary(),
    address: p.text().primary(),
    owner: p.text().$type<KeyOwner>(),
    ownerId: p.text(),
    /** Counts the links of the owner, from 0; the highest is in use. */
    nonce: p.integer(),
    linkedAt: p.datetime(),
  }),
});
export type Wallet = InferEntity<typeof Wallet>;

export const wallets: Projection<WalletsEvent, EntityManager> = {
  name: 'registry.wallets',
  version: 1,
  tables: ['wallets'],
  reads: ['registry.wallets'],
  async apply(em, { event: { type, data }, recordedAt: linkedAt }) {
    switch (type) {
      case 'WalletLinked': {
        const { chainId, address, owner, ownerId, nonce } = data;
        return em.upsert(Wallet, { chainId, address, owner, ownerId, nonce, linkedAt });
      }
    }
  },
};

/** The address of the owner that is in use. */
export const walletOf = (em: EntityManager, chainId: number, ownerId: string) =>
  em.findOne(Wallet, { chainId, ownerId }, { orderBy: { nonce: 'desc' } });
