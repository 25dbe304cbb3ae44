import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { keepProgress, readAddresses, readProgress, writeAddresses } from '@astro/chain/deployment/files';
import { RpcPool } from '@astro/chain/rpc/pool';
import { anvilMnemonic, localChainId } from './anvil/server.js';
import type { Chain } from './infrastructure/infrastructure.js';
import type { LogSink } from './log.js';
import { repositoryRoot } from './repository.js';
import type { StateFolder } from './state.js';

const configurationFile = join(repositoryRoot, 'deploy/chain/local.json');

/** Where the addresses of the protocol stand, or will stand once it is deployed. */
export const addressesFileOf = (chain: Chain, state: StateFolder): string =>
  chain.addressesFile ?? join(state.folder('chain'), 'addresses.json');

export const whereabouts = (chain: Chain, state: StateFolder) => ({
  rpcUrl: chain.rpcUrl,
  addressesFile: addressesFileOf(chain, state),
  isOwn: chain.addressesFile === undefined,
});

/** The platform's own chain has its id before anything is deployed there. */
const chainIdOf = ({ addressesFile }: Chain): number =>
  addressesFile === undefined ? localChainId : readAddresses(addressesFile).chainId;

/** A platform without the chain-indexer has no chain, and no service that asks where it is. */
export const chainSurroundings = (chain: Chain | undefined, state: StateFolder) => ({
  rpcUrl: chain?.rpcUrl ?? '',
  chainId: chain && String(chainIdOf(chain)),
  chainAddressesFile: chain ? addressesFileOf(chain, state) : '',
});

/**
 * Puts the protocol on the platform's own chain the first time; finishes what an earlier start has begun. On a chain
 * of somebody else nothing is sent.
 */
export async function ensureProtocol(chain: Chain, state: StateFolder, log: LogSink): Promise<void> {
  const file = addressesFileOf(chain, state);
  if (existsSync(file)) return assertSameChain(chain, file);
  if (chain.addressesFile !== undefined)
    throw new Error(`CHAIN_ADDRESSES_FILE: ${file} is not there; npm run chain -- deploy writes it`);
  // Loaded when it is needed: a start that finds the protocol deployed does without ethers.
  const [{ deploy }, { readConfiguration }, { walletFrom }] = await Promise.all([
    import('@astro/chain/deployment/deploy'),
    import('@astro/chain/deployment/configuration'),
    import('@astro/chain/wallet'),
  ]);
  const pool = new RpcPool([chain.rpcUrl]);
  const progress = readProgress(file);
  try {
    const deployment = await deploy({
      pool,
      wallet: walletFrom(anvilMnemonic, 0),
      chainId: localChainId,
      configuration: readConfiguration(JSON.parse(readFileSync(configurationFile, 'utf8'))),
      ...(progress && { progress }),
      keep: kept => keepProgress(file, kept),
      log: line => log('chain', line),
    });
    writeAddresses(file, deployment);
  } finally {
    pool.close();
  }
}

/** What was deployed stands on the chain that the file tells of, or everything that was read of it is worthless. */
async function assertSameChain({ rpcUrl }: Chain, file: string): Promise<void> {
  const { before } = readAddresses(file);
  const pool = new RpcPool(rpcUrl.split(','));
  try {
    const block = await pool.call('eth_getBlockByNumber', `0x${before.number.toString(16)}`, false);
    const { hash } = (block ?? { hash: 'absent' }) as { readonly hash: string };
    if (hash !== before.hash)
      throw new Error(
        `the chain at ${rpcUrl} is not the one of ${file}: its block ${before.number} is ${hash}, ` +
          `not ${before.hash}. Give back the chain; or, if it is lost, npm run reset begins anew.`,
      );
  } finally {
    pool.close();
  }
}
