import type { EventStore } from '@astro/jetstream/event-store';
import { reasonOf, type Log } from '@astro/jetstream/log';
import type { EscrowEvent } from '@astro/messages/billing';
import type { OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { termsIn, type FeeTerms } from './account/fee.js';

const betweenTriesMs = 1_000;

/** The fee that charges are made with from now on, as the record of the chain's final facts has it. */
export class FeeInForce implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #stopping = new AbortController();
  readonly #store: EventStore;
  readonly #chainId: string;
  readonly #log: Log;
  #schedule: FeeTerms | undefined;
  #position = 0;
  #following: Promise<void> = Promise.resolve();

  private constructor(store: EventStore, chainId: string, log: Log) {
    this.#store = store;
    this.#chainId = chainId;
    this.#log = log;
  }

  /** Resolves when it knows what is recorded by now. */
  static async open(store: EventStore, chainId: string, log: Log): Promise<FeeInForce> {
    const fee = new FeeInForce(store, chainId, log);
    for (const { event, position } of await store.load({ type: 'billing.escrow', id: chainId }))
      fee.#take(event as EscrowEvent, position);
    return fee;
  }

  /** @throws Error before the chain has set one: whoever charges tries again */
  get schedule(): FeeTerms {
    if (this.#schedule === undefined) throw new Error('no final block has set the fee yet');
    return this.#schedule;
  }

  onApplicationBootstrap(): void {
    this.#following = this.#follow(this.#stopping.signal);
  }

  async onApplicationShutdown(): Promise<void> {
    this.#stopping.abort();
    await this.#following;
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const aggregate = { type: 'billing.escrow', id: this.#chainId } as const;
    while (!signal.aborted) {
      try {
        const events = this.#store.follow(aggregate, { afterPosition: this.#position, signal });
        for await (const { event, position } of events) this.#take(event as EscrowEvent, position);
      } catch (error) {
        if (signal.aborted) return;
        this.#log.warn('the fee is not followed', { reason: reasonOf(error) });
        await sleep(betweenTriesMs);
      }
    }
  }

  #take({ type, data }: EscrowEvent, position: number): void {
    this.#position = position;
    if (type === 'FeeScheduleRefused') this.#log.error('the chain set a fee out of bounds', data);
    if (type === 'FeeScheduleSet') this.#schedule = termsIn(data);
  }
}
