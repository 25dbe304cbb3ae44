import type { ConsumerMessages, JsMsg } from '@nats-io/jetstream';
import type { Bus } from './bus.js';
import { backOffMs, delay } from './delay.js';
import { reasonOf, type Log } from './log.js';

/** A pull is renewed after this long; the server says every few seconds that it still stands. */
export const PULL = { expires: 15_000, idle_heartbeat: 3_000 };
/**
 * Where a consumer changes hands: shorter than it takes until a silent process counts as dead, so that its last pull is
 * over when its work is taken over. A pull that says how much is to be pending is of no pinned consumer, so that the
 * client does not look into the headers of each message for a pin, which costs a fifth of a command; zero is not sent.
 */
export const FENCED_PULL = { expires: 4_000, idle_heartbeat: 1_500, min_pending: 0 };
const REOPEN_BACK_OFF = { baseMs: 100, maxMs: 5_000 };

export type ConsumeLoopOptions = {
  readonly name: string;
  /** Makes sure of the consumer and begins to pull. */
  open(): Promise<ConsumerMessages>;
  /** Takes one message over; what it throws makes the loop open again. */
  take(message: JsMsg): void;
};

/**
 * Keeps messages coming: opens the consumer again after a reconnection, a stall, a deletion or an error,
 * with back-off, until it is stopped. Pull consumers have been seen to stall after a reconnection, hence
 * all the reasons.
 */
export class ConsumeLoop {
  readonly #bus: Bus;
  readonly #options: ConsumeLoopOptions;
  readonly #log: Log;
  readonly #stopping = new AbortController();
  #messages: ConsumerMessages | undefined;
  #done: Promise<void> = Promise.resolve();

  constructor(bus: Bus, options: ConsumeLoopOptions, log: Log) {
    this.#bus = bus;
    this.#options = options;
    this.#log = log;
  }

  /** Resolves when the first messages can arrive. A failure to open is retried like every later one. */
  async start(): Promise<void> {
    await new Promise<void>(resolve => {
      this.#done = this.#run(resolve);
    });
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#messages?.close();
    await this.#done;
  }

  get isConsuming(): boolean {
    return this.#messages !== undefined && this.#bus.isUp;
  }

  async #run(opened: () => void): Promise<void> {
    const { signal } = this.#stopping;
    const forget = this.#bus.onReconnect(() => void this.#messages?.close());
    for (let failures = 0; !signal.aborted;) {
      try {
        await this.#bus.ready();
        const messages = await this.#options.open();
        failures = 0;
        await this.#consume(messages, opened);
      } catch (error) {
        if (signal.aborted) break;
        failures += 1;
        this.#log.warn(`${this.#options.name} reads again after a failure`, {
          reason: reasonOf(error),
          failures,
        });
        await delay(backOffMs(failures, REOPEN_BACK_OFF), signal);
      }
    }
    forget();
    opened();
  }

  async #consume(messages: ConsumerMessages, opened: () => void): Promise<void> {
    this.#messages = messages;
    try {
      if (this.#stopping.signal.aborted) return;
      opened();
      const stalled = this.#watch(messages);
      for await (const message of messages) this.#options.take(message);
      const reason = await stalled;
      if (reason) throw new Error(reason);
    } finally {
      this.#messages = undefined;
      // Takes effect at once. It resolves for whoever reads the messages to their end, which nobody may have begun.
      void messages.close();
    }
  }

  /** Ends the pull when it has stalled; resolves, with the reason if any, when the pull has ended. */
  async #watch(messages: ConsumerMessages): Promise<string | undefined> {
    for await (const { type } of messages.status()) {
      switch (type) {
        case 'heartbeats_missed':
        case 'consumer_not_found':
        case 'consumer_deleted':
        case 'stream_not_found':
        case 'no_responders':
          void messages.close();
          return type;
      }
    }
    return undefined;
  }
}
