import { setTimeout as sleep } from 'node:timers/promises';
import { getAddress, Transaction, type BaseWallet } from 'ethers';
import { RpcRefused } from '../rpc/failures.js';
import type { RpcPool } from '../rpc/pool.js';
import { currentFees, FeesTooHigh, raised, type Fees } from './fees.js';
import type { Attempt, Entry, Intent, Settled, TransactionJournal } from './journal.js';

export type SenderOptions = {
  readonly pool: RpcPool;
  readonly wallet: BaseWallet;
  readonly chainId: number;
  readonly journal: TransactionJournal;
  /** Blocks on top of the transaction's after which it counts as settled: 2 unless told. */
  readonly confirmations?: number;
  /** After which a transaction that no block has taken is replaced by one that pays more: 30 s unless told. */
  readonly replaceAfterMs?: number;
  readonly pollMs?: number;
  /** After which whoever asked is told that it still waits: half an hour unless told. */
  readonly giveUpAfterMs?: number;
  /** The most that a unit of gas may cost: 500 gwei unless told. */
  readonly maxFeeWei?: bigint;
};

/** No block took the transaction in all the time that was given. It stays in the journal, and may still be taken. */
export class StillWaiting extends Error {
  override readonly name = 'StillWaiting';
  constructor(
    readonly key: string,
    readonly waitedMs: number,
  ) {
    super(`${key} has waited for a block for ${waitedMs} ms`);
  }
}

/** The account's nonce went to a transaction that is not of this journal: a person has to look. */
export class NonceTaken extends Error {
  override readonly name = 'NonceTaken';
  constructor(
    readonly key: string,
    readonly nonce: number,
  ) {
    super(`${key} was signed for nonce ${nonce}, which another transaction has taken`);
  }
}

/** What became of an action of an earlier process. */
export type Recovered =
  { readonly key: string; readonly settled: Settled } | { readonly key: string; readonly failure: unknown };

const defaults = {
  confirmations: 2,
  replaceAfterMs: 30_000,
  pollMs: 500,
  giveUpAfterMs: 1_800_000,
  maxFeeWei: 500_000_000_000n,
};
const maxAttempts = 20;
/** Looks in a row, each on a chain that moved on, before a nonce counts as taken by somebody else. */
const looksBeforeTaken = 5;
const gasReservePercent = 20n;

/**
 * Does each business action on the chain once: the signed transaction is in the journal before it is sent, further
 * attempts have its nonce, and whoever asks again under its key waits for the same one.
 */
export class TransactionSender {
  readonly #options: SenderOptions & typeof defaults;

  private constructor(options: SenderOptions) {
    this.#options = { ...defaults, ...withoutUndefined(options) };
  }

  /**
   * The only way to a sender, so that what an earlier process has planned cannot be forgotten: it is sent again before
   * anything new is. That process must be gone.
   * @returns the sender, and how what was open ends, which is known when the chain has taken it
   * @throws ChainUnavailable when what is open could not be sent
   */
  static async start(
    options: SenderOptions,
  ): Promise<{ readonly sender: TransactionSender; readonly recovered: Promise<readonly Recovered[]> }> {
    const sender = new TransactionSender(options);
    await options.journal.prepare();
    const open = await options.journal.open(options.chainId, options.wallet.address);
    // In the order of their nonces: no later one can be taken before an earlier one.
    for (const { attempts } of open) await sender.#broadcast(attempts.at(-1)!);
    const recovered = open.map(async (entry): Promise<Recovered> => {
      try {
        return { key: entry.key, settled: await sender.#finish(entry) };
      } catch (failure) {
        return { key: entry.key, failure };
      }
    });
    return { sender, recovered: Promise.all(recovered) };
  }

  /**
   * @param key what the action is to the business, for example `settle:batch-7`
   * @returns how it ended, once it has its confirmations
   * @throws BusinessKeyReused @throws FeesTooHigh @throws NonceTaken @throws StillWaiting @throws ChainUnavailable
   * @throws RpcRefused when the chain refuses it as it stands: then nothing was planned
   */
  async send(key: string, intent: Intent): Promise<Settled> {
    const { journal, pool, wallet, chainId } = this.#options;
    const wanted = { ...intent, to: getAddress(intent.to) };
    const account = wallet.address;
    const known = await journal.find(key);
    const gas = known ? known.gas : await this.#gasFor(wanted);
    const nonce = Number(await pool.call('eth_getTransactionCount', account, 'pending'));
    const sign = async (next: number) => {
      const fees = await currentFees(pool, this.#options.maxFeeWei);
      return { gas, attempt: await this.#sign(wanted, next, gas, fees) };
    };
    const entry = await journal.plan(chainId, account, key, wanted, sign, nonce);
    return this.#finish(entry);
  }

  async #gasFor({ to, data, valueWei }: Intent): Promise<bigint> {
    const call = { from: this.#options.wallet.address, to, data, value: hex(valueWei) };
    const estimate = BigInt((await this.#options.pool.call('eth_estimateGas', call)) as string);
    return (estimate * (100n + gasReservePercent)) / 100n;
  }

  async #sign({ to, data, valueWei }: Intent, nonce: number, gas: bigint, fees: Fees): Promise<Attempt> {
    const { chainId, wallet } = this.#options;
    const { feeWei, tipWei } = fees;
    const raw = await wallet.signTransaction({
      ...{ type: 2, chainId, nonce, to, data, value: valueWei, gasLimit: gas },
      ...{ maxFeePerGas: feeWei, maxPriorityFeePerGas: tipWei },
    });
    return { hash: Transaction.from(raw).hash!, raw, feeWei, tipWei };
  }

  async #finish(planned: Entry): Promise<Settled> {
    const { journal, pollMs, replaceAfterMs, giveUpAfterMs } = this.#options;
    const startedMs = performance.now();
    let entry = planned;
    if (entry.settled) return entry.settled;
    await this.#broadcast(entry.attempts.at(-1)!);
    let sentMs = performance.now();
    let strangeLooks = 0;
    for (;;) {
      const state = await this.#look(entry);
      if (state.settled) {
        await journal.settle(entry, state.settled);
        return state.settled;
      }
      strangeLooks = state.nonceIsGone ? strangeLooks + 1 : 0;
      const waitedMs = performance.now() - startedMs;
      if (waitedMs > giveUpAfterMs) throw new StillWaiting(entry.key, Math.round(waitedMs));
      if (strangeLooks === looksBeforeTaken) throw new NonceTaken(entry.key, entry.nonce);
      if (!state.isMined && !state.nonceIsGone && performance.now() - sentMs > replaceAfterMs) {
        entry = await this.#replace(entry);
        sentMs = performance.now();
      }
      await sleep(pollMs);
    }
  }

  /** A receipt counts once enough blocks stand on it; until then the chain may still take it back. */
  async #look(entry: Entry) {
    const { pool, confirmations, wallet } = this.#options;
    return pool.withEndpoint(async endpoint => {
      // In this order: a nonce that is gone, and no receipt afterwards, is not one that came in between.
      const mined = Number(await endpoint.call('eth_getTransactionCount', wallet.address, 'latest'));
      const head = Number(await endpoint.call('eth_blockNumber'));
      for (const { hash } of entry.attempts) {
        const receipt = (await endpoint.call('eth_getTransactionReceipt', hash)) as Receipt | null;
        if (receipt === null) continue;
        const block = Number(receipt.blockNumber);
        const settled = { hash, block, succeeded: Number(receipt.status) === 1 };
        const isDeep = head - block >= confirmations;
        return { isMined: true, nonceIsGone: false, settled: isDeep ? settled : undefined };
      }
      return { isMined: false, nonceIsGone: mined > entry.nonce, settled: undefined };
    });
  }

  async #replace(entry: Entry): Promise<Entry> {
    const { pool, journal, maxFeeWei } = this.#options;
    const last = entry.attempts.at(-1)!;
    const fees =
      entry.attempts.length < maxAttempts ? await this.#raisedFees(pool, last, maxFeeWei) : undefined;
    if (fees === undefined) {
      // Nothing better can be offered; the node may have forgotten what it had.
      await this.#broadcast(last);
      return entry;
    }
    const attempt = await this.#sign(entry.intent, entry.nonce, entry.gas, fees);
    const replaced = await journal.addAttempt(entry, attempt);
    await this.#broadcast(attempt);
    return replaced;
  }

  async #raisedFees(pool: RpcPool, last: Fees, maxFeeWei: bigint): Promise<Fees | undefined> {
    try {
      return raised(last, await currentFees(pool, maxFeeWei), maxFeeWei);
    } catch (error) {
      if (error instanceof FeesTooHigh) return undefined;
      throw error;
    }
  }

  /** A node that refuses it may have it already, or a block may: the next look tells. */
  async #broadcast({ raw }: Attempt): Promise<void> {
    try {
      await this.#options.pool.call('eth_sendRawTransaction', raw);
    } catch (error) {
      if (!(error instanceof RpcRefused)) throw error;
    }
  }
}

type Receipt = { readonly blockNumber: string; readonly status: string };

const hex = (value: bigint): string => `0x${value.toString(16)}`;

const withoutUndefined = (options: SenderOptions): SenderOptions =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as SenderOptions;
