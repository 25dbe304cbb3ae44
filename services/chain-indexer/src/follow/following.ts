import { setTimeout as sleep } from 'node:timers/promises';
import type { Bus } from '@astro/jetstream/bus';
import { backOffMs } from '@astro/jetstream/delay';
import { ConcurrencyConflict, type EventStore } from '@astro/jetstream/event-store';
import type { Part } from '@astro/jetstream/shared-work';
import { reasonOf, type Log } from '@astro/jetstream/log';
import { FinalityBroken, type Follower } from './follower.js';
import type { FollowStatus } from './follow-status.js';
import { tipOf, type Mirror } from './mirror.js';
import { readMirror } from './record.js';

export type FollowOptions = {
  readonly bus: Bus;
  readonly store: EventStore;
  readonly follower: Follower;
  readonly chainId: number;
  readonly before: { readonly number: number; readonly hash: string };
  readonly pollMs: number;
  readonly log: Log;
  /** Is told how it goes. */
  readonly status: FollowStatus;
};

const backOff = { baseMs: 200, maxMs: 10_000 };

/** Follows the chain from the record on, round after round, until it is stopped or halts. */
export class Following implements Part {
  readonly #options: FollowOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(options: FollowOptions) {
    this.#options = options;
  }

  get healthy(): boolean {
    return this.#options.status.healthy;
  }

  async start(): Promise<void> {
    this.#running = this.#run(this.#stopping.signal);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    this.#options.status.standsBy();
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { bus, store, follower, chainId, before, pollMs, log, status } = this.#options;
    const aggregate = { type: 'chain.mirror', id: String(chainId) } as const;
    let mirror: Mirror | undefined;
    while (!signal.aborted) {
      let waitMs = pollMs;
      try {
        mirror ??= await readMirror(bus, store, aggregate, before);
        const after = await follower.round(mirror);
        mirror = after.mirror;
        if (after.isBehind) waitMs = 0;
        status.followed({ head: after.head, asOf: tipOf(mirror).number, final: mirror.finalNumber });
      } catch (error) {
        // What was appended before it failed is in the record, and only there.
        mirror = undefined;
        if (error instanceof FinalityBroken) return this.#halt(error);
        status.failed(reasonOf(error));
        waitMs = backOffMs(status.failures, backOff);
        const fields = { reason: reasonOf(error), failures: status.failures };
        if (error instanceof ConcurrencyConflict) log.warn('another process follows the chain', fields);
        else log.error('the chain could not be followed', fields);
      }
      await sleep(waitMs, undefined, { signal }).catch((aborted: unknown) => {
        if (!signal.aborted) throw aborted;
      });
    }
  }

  /** Nothing is written any more, and the service is not ready until a person has decided and started it again. */
  #halt(error: FinalityBroken): void {
    this.#options.status.halted(reasonOf(error));
    this.#options.log.error('halted: finality is broken', { reason: reasonOf(error) });
  }
}
