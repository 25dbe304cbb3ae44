import { hash as digestOf } from 'node:crypto';
import { walletOf } from '@astro/chain/wallet';

/** The key of an owner's address on a platform's own chain: it only signs, holds nothing of value, and is no secret. */
export const localWalletOf = (ownerId: string) =>
  walletOf(`0x${digestOf('sha256', `astro local ${ownerId}`)}`);

export const localAddressOf = (ownerId: string): string => localWalletOf(ownerId).address.toLowerCase();
