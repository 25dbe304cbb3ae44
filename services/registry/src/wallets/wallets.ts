import { accept, reject, type Decider, type Decision } from '@astro/event-sourcing/decider';
import { structured } from '@astro/event-sourcing/snapshot-format';
import { isSigned } from '@astro/chain/statements/wallet-statement';
import type { LinkWallet, WalletsCommand, WalletsEvent } from '@astro/messages/registry';

export type WalletsRejection =
  | 'OwnerIsInvalid'
  | 'AddressIsInvalid'
  | 'AddressIsLinked'
  | 'WalletIsFixed'
  | 'NonceIsUsed'
  | 'SignatureIsInvalid';

type Owner = { readonly ownerId: string; readonly owner: LinkWallet['owner'] };

/** Changed in place: all links of a chain are one aggregate, because an address must be nobody else's. */
export type Wallets = {
  readonly ownerOf: Map<string, Owner>;
  /** Addresses of each owner, the last one is in use. */
  readonly addressesOf: Map<string, string[]>;
};

type WalletsDecision = Decision<WalletsEvent, WalletsRejection>;

/** Which address on a chain is whose. Its id is the chain's. */
export const wallets: Decider<Wallets, WalletsCommand, WalletsEvent, WalletsRejection> = {
  get initialState() {
    return { ownerOf: new Map<string, Owner>(), addressesOf: new Map<string, string[]>() };
  },

  decide: ({ data }, state) => link(data, state),

  evolve(state, { data: { owner, ownerId, address } }) {
    state.ownerOf.set(address, { owner, ownerId });
    state.addressesOf.set(ownerId, [...(state.addressesOf.get(ownerId) ?? []), address]);
    return state;
  },

  snapshot: structured(1),
};

/**
 * A tenant keeps its address, because its deposits lie under it; an operator may take another one, and is
 * paid there from then on. Nobody gets an address that was somebody else's.
 */
function link(data: LinkWallet, { ownerOf, addressesOf }: Wallets): WalletsDecision {
  const { owner, ownerId, address, nonce, signature } = data;
  if (owner !== 'tenant' && owner !== 'operator') return reject('OwnerIsInvalid', `owner: is ${owner}`);
  if (!/^0x[0-9a-f]{40}$/.test(address))
    return reject('AddressIsInvalid', 'address: must be 0x and 40 digits of hex in lower case');
  const holder = ownerOf.get(address);
  if (holder !== undefined && holder.ownerId !== ownerId)
    return reject('AddressIsLinked', `address: ${address} belongs to another account`);
  const linked = addressesOf.get(ownerId) ?? [];
  if (linked.at(-1) === address) return accept();
  if (owner === 'tenant' && linked.length > 0)
    return reject('WalletIsFixed', `address: the deposits of this tenant lie under ${linked[0]}`);
  if (nonce !== linked.length) return reject('NonceIsUsed', `nonce: must be ${linked.length}, not ${nonce}`);
  if (!isSigned(data, signature))
    return reject('SignatureIsInvalid', `signature: is not that of ${address} under this statement`);
  return accept({ type: 'WalletLinked', data });
}
