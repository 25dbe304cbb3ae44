import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { keepProgress, readAddresses, readProgress, writeAddresses } from '@astro/chain/deployment/files';
import { RpcPool } from '@astro/chain/rpc/pool';
import { blocksToFinal } from './anvil/block-maker.js';
import { anvilMnemonic, anvilSettlerKey, localChainId } from './anvil/server.js';
import type { Chain } from './infrastructure/infrastructure.js';
import type { LogSink } from './log.js';
import { repositoryRoot } from './repository.js';
import type { Settling } from './services.js';
import type { StateFolder } from './state.js';

const configurationFile = join(repositoryRoot, 'deploy/chain/local.json');

/** Where the addresses of the protocol stand, or will stand once it is deployed. */
export const addressesFileOf = (chain: Chain, state: StateFolder): string =>
  chain.addressesFile ?? join(state.folder('chain'), 'addresses.json');

/** The platform's own chain has its id before anything is deployed there. */
const chainIdOf = ({ addressesFile }: Chain): number =>
  addressesFile === undefined ? localChainId : readAddresses(addressesFile).chainId;

/** So that somebody who tries the platform out sees charges settled. */
const localSettlementEveryMs = 60_000;

/** The chain under a platform, and the protocol on it. */
export class PlatformChain {
  readonly #chain: Chain;
  readonly #state: StateFolder;
  readonly #log: LogSink;
  /** What billing settles with; undefined where it does not, or where nobody has the settler's key. */
  readonly settling: Settling | undefined;
  #protocol: Promise<void> | undefined;

  constructor(chain: Chain, state: StateFolder, log: LogSink, settles: boolean) {
    this.#chain = chain;
    this.#state = state;
    this.#log = log;
    this.settling = settles ? settlingOn(chain, state) : undefined;
    // Billing waits for it, so that it begins beside all else; whoever waits is told what failed.
    if (this.settling) this.untilProtocolIsThere().catch(() => undefined);
  }

  get whereabouts() {
    const { rpcUrl, addressesFile } = this.#chain;
    return {
      rpcUrl,
      addressesFile: addressesFileOf(this.#chain, this.#state),
      isOwn: addressesFile === undefined,
    };
  }

  get surroundings() {
    const { rpcUrl, addressesFile: chainAddressesFile } = this.whereabouts;
    const chainId = String(chainIdOf(this.#chain));
    return { rpcUrl, chainId, chainAddressesFile, settling: this.settling };
  }

  /** @throws Error when it could not be brought there */
  untilProtocolIsThere(): Promise<void> {
    this.#protocol ??= this.#bringProtocol();
    return this.#protocol;
  }

  /** Resolves when nothing is being deployed any more. */
  async atRest(): Promise<void> {
    await Promise.allSettled([this.#protocol]);
  }

  async #bringProtocol(): Promise<void> {
    const startedAt = Date.now();
    await ensureProtocol(this.#chain, this.#state, this.#log);
    const seconds = ((Date.now() - startedAt) / 1_000).toFixed(1);
    this.#log('platform', `the protocol is on the chain after ${seconds} s`);
  }
}

/** A platform without the chain-indexer has no chain, and no service that asks where it is. */
export const chainless = { rpcUrl: '', chainId: undefined, chainAddressesFile: '', settling: undefined };

function settlingOn({ addressesFile, settlerKeyFile }: Chain, state: StateFolder): Settling | undefined {
  if (addressesFile !== undefined) return settlerKeyFile === undefined ? undefined : { settlerKeyFile };
  return {
    settlerKeyFile: state.writeFile('chain/settler.key', anvilSettlerKey),
    confirmations: blocksToFinal,
    everyMs: localSettlementEveryMs,
  };
}

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
