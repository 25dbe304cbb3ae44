import { readFileSync } from 'node:fs';
import type { Deployment } from '@astro/chain/deployment/addresses';
import { readAddresses } from '@astro/chain/deployment/files';
import { RpcPool } from '@astro/chain/rpc/pool';
import { walletOf } from '@astro/chain/wallet';
import type { BillingConfig } from '../billing.config.js';

/** The chain that money lies on, and the key of whoever may settle there. */
export type ChainAccess = {
  readonly deployment: Deployment;
  readonly pool: RpcPool;
  readonly settler: ReturnType<typeof walletOf>;
  /** How deep a final block is; without it the nodes are asked. */
  readonly finalityBlocks: number | undefined;
  readonly confirmations: number;
};

/**
 * Undefined without the key of a settler: then nothing is settled on a chain.
 * @throws Error naming the key that is missing or wrong
 */
export function chainAccess(config: BillingConfig): ChainAccess | undefined {
  const { RPC_URL, CHAIN_ADDRESSES_FILE, SETTLER_KEY_FILE } = config;
  // Other services have the same chain, so that its whereabouts alone do not make this one settle.
  if (SETTLER_KEY_FILE === undefined) return undefined;
  if (RPC_URL === undefined || CHAIN_ADDRESSES_FILE === undefined)
    throw new Error('SETTLER_KEY_FILE: needs RPC_URL and CHAIN_ADDRESSES_FILE beside it');
  return {
    deployment: readAddresses(CHAIN_ADDRESSES_FILE),
    pool: new RpcPool(RPC_URL.split(',')),
    settler: walletOf(readFileSync(SETTLER_KEY_FILE, 'utf8').trim()),
    finalityBlocks: config.CHAIN_FINALITY_BLOCKS,
    confirmations: config.CHAIN_CONFIRMATIONS,
  };
}
