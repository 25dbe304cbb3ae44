import { open, rename } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { RpcPool } from '@astro/chain/rpc/pool';

export type BlockMakerOptions = {
  /** Of an Anvil that makes no blocks by itself. */
  readonly url: string;
  /** Where the chain is written down, as Anvil's `--load-state` reads it. */
  readonly stateFile: string;
  readonly log: (line: string) => void;
};

const unzip = promisify(gunzip);
const betweenBlocksMs = 1_000;
const idlePollMs = 100;
const afterFailureMs = 500;
/** With epochs of one slot Anvil calls final what is this deep. */
export const blocksToFinal = 2;
/** Deploying the protocol fits into one block. */
const blockGasLimit = 150_000_000;

/** What Anvil is started with for a block maker. @param load the chain that it continues from */
export const pacedArguments = (load: string | undefined): readonly string[] => [
  ...['--no-mining', '--slots-in-an-epoch', '1', '--gas-limit', String(blockGasLimit)],
  ...(load === undefined ? [] : ['--load-state', load]),
];

/**
 * Makes the blocks of a local chain: one a second while there are transactions, then as many as make the last of them
 * final, and none while nothing happens, so that an idle chain neither grows nor costs anything. Each block is on disk
 * before the next one is made. What is final is two blocks deep; so no death of Anvil or of the platform, at whatever
 * moment, takes back what was final, which writing the chain down every so often could not promise.
 */
export class BlockMaker {
  readonly #options: BlockMakerOptions;
  readonly #pool: RpcPool;
  readonly #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();

  private constructor(options: BlockMakerOptions) {
    this.#options = options;
    this.#pool = new RpcPool([options.url], { rounds: 1 });
  }

  /** Resolves when the chain as it is now is on disk. One without a block Anvil would not load, so it gets one. */
  static async start(options: BlockMakerOptions): Promise<BlockMaker> {
    const maker = new BlockMaker(options);
    try {
      if (Number(await maker.#pool.call('eth_blockNumber')) === 0) await maker.#pool.call('evm_mine');
      await maker.#keep();
    } catch (error) {
      maker.#pool.close();
      throw error;
    }
    maker.#running = maker.#run(maker.#stopping.signal);
    return maker;
  }

  /** Resolves when what it was writing is written. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    this.#pool.close();
  }

  async #run(signal: AbortSignal): Promise<void> {
    // A block that was lost is seen to be lost when others stand in its place.
    let due = blocksToFinal;
    let isKept = true;
    while (!signal.aborted) {
      let waitMs = idlePollMs;
      try {
        if (!isKept) await this.#keep();
        isKept = true;
        if (await this.#hasTransactions()) due = blocksToFinal + 1;
        if (due > 0) {
          isKept = false;
          await this.#pool.call('evm_mine');
          await this.#keep();
          isKept = true;
          due -= 1;
          waitMs = betweenBlocksMs;
        }
      } catch (error) {
        if (signal.aborted) return;
        this.#options.log(
          `no block could be made: ${error instanceof Error ? error.message : String(error)}`,
        );
        waitMs = afterFailureMs;
      }
      await sleep(waitMs, undefined, { signal }).catch((aborted: unknown) => {
        if (!signal.aborted) throw aborted;
      });
    }
  }

  async #hasTransactions(): Promise<boolean> {
    const { pending } = (await this.#pool.call('txpool_status')) as { readonly pending: string };
    return Number(pending) > 0;
  }

  /** Whole or not at all, and on disk when this resolves. */
  async #keep(): Promise<void> {
    const { stateFile } = this.#options;
    const packed = (await this.#pool.call('anvil_dumpState')) as string;
    const draft = `${stateFile}.new`;
    const file = await open(draft, 'w');
    try {
      await file.writeFile(await unzip(Buffer.from(packed.slice(2), 'hex')));
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(draft, stateFile);
  }
}
