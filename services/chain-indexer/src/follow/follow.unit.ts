import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { BusOptions } from '@astro/jetstream/bus';
import { backOffMs } from '@astro/jetstream/delay';
import { reasonOf, type Log } from '@astro/jetstream/log';
import type { Part, Unit } from '@astro/jetstream/shared-work';
import type { FollowSnapshot, FollowStatus } from './follow-status.js';

/** What the thread is given: it makes its own connections. */
export type FollowTask = {
  readonly bus: BusOptions;
  readonly rpcUrls: readonly string[];
  readonly callsPerSecond: number;
  /** Name and address. */
  readonly contracts: Readonly<Record<string, string>>;
  readonly chainId: number;
  /** The block before the first one of ours. */
  readonly before: { readonly number: number; readonly hash: string };
  /** How deep a final block is, where the nodes do not say. */
  readonly finalityBlocks: number | undefined;
  readonly pollMs: number;
  readonly headEveryMs: number;
};

/** What the thread tells. */
export type Said =
  /** It has its connections and begins to read. */
  | { readonly begun: true }
  | { readonly status: FollowSnapshot }
  | {
      readonly log: {
        readonly level: keyof Log;
        readonly message: string;
        readonly fields?: Parameters<Log['info']>[1];
      };
    };

export type FollowOptions = {
  readonly task: FollowTask;
  readonly log: Log;
  /** Is told how it goes. */
  readonly status: FollowStatus;
};

const threadFile = import.meta.url.endsWith('.ts') ? './follow.worker.ts' : './follow.worker.js';
/** A round of 512 full blocks and the answers they come from. */
const threadLimits = { maxOldGenerationSizeMb: 1_024, maxYoungGenerationSizeMb: 96 };
/** A round that is under way may take as long as its requests; what it has not recorded is read again. */
const stopLimitMs = 10_000;
const backOff = { baseMs: 200, maxMs: 10_000 };

/** Following the chain, which one process at a time does. Should two, only one of them finds its expected position. */
export const followUnit = (options: FollowOptions) =>
  ({ name: 'follow-chain', open: (): Part => new FollowingThread(options) }) satisfies Unit;

/** Keeps a thread that follows; one that ends without having been told to is followed by another. */
class FollowingThread implements Part {
  readonly #options: FollowOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(options: FollowOptions) {
    this.#options = options;
  }

  get healthy(): boolean {
    return this.#options.status.healthy;
  }

  /** Resolves when a thread has begun to read, or could not. */
  async start(): Promise<void> {
    await new Promise<void>(resolve => {
      this.#running = this.#run(this.#stopping.signal, resolve);
    });
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    this.#options.status.standsBy();
  }

  async #run(signal: AbortSignal, started: () => void): Promise<void> {
    const { log, status } = this.#options;
    while (!signal.aborted) {
      const reason = await this.#thread(signal, started);
      started();
      if (signal.aborted) return;
      status.failed(reason);
      log.error('the thread that follows the chain has ended', { reason, failures: status.failures });
      await sleep(backOffMs(status.failures, backOff), undefined, { signal }).catch((aborted: unknown) => {
        if (!signal.aborted) throw aborted;
      });
    }
  }

  /** One thread, from its begin to its end. @returns why it has ended */
  async #thread(signal: AbortSignal, begun: () => void): Promise<string> {
    const { task, log, status } = this.#options;
    const worker = new Worker(new URL(threadFile, import.meta.url), {
      workerData: task,
      execArgv: [],
      resourceLimits: threadLimits,
    });
    worker.on('message', (said: Said) => {
      if ('begun' in said) begun();
      else if ('status' in said) status.restore(said.status);
      else log[said.log.level](said.log.message, said.log.fields);
    });
    const ended = new Promise<string>(resolve => {
      worker.once('error', error => resolve(reasonOf(error)));
      worker.once('exit', code => resolve(`it ended with ${code}`));
    });
    let limit: NodeJS.Timeout | undefined;
    const stop = () => {
      worker.postMessage('stop');
      limit = setTimeout(() => void worker.terminate(), stopLimitMs);
    };
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    try {
      return await ended;
    } finally {
      clearTimeout(limit);
      signal.removeEventListener('abort', stop);
    }
  }
}
