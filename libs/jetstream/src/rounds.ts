import { backOffMs, delay } from './delay.js';
import type { Part } from './holding.js';

export type RoundsOptions = {
  /** One round. What it could not do comes again in the next one. */
  round(signal: AbortSignal): Promise<void>;
  /** Between two rounds, asked for after each; longer after one that failed. */
  readonly pollMs: number;
  failed(error: unknown, failures: number): void;
};

const BACK_OFF = { baseMs: 500, maxMs: 30_000 };
const UNHEALTHY_AFTER_FAILURES = 5;

/** Work that no message asks for: looked for again and again, by whoever holds its unit. */
export class Rounds implements Part {
  readonly #options: RoundsOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #failures = 0;

  constructor(options: RoundsOptions) {
    this.#options = options;
  }

  get healthy(): boolean {
    return this.#failures < UNHEALTHY_AFTER_FAILURES;
  }

  async start(): Promise<void> {
    this.#running = this.#run(this.#stopping.signal);
    await Promise.resolve();
  }

  /** Finishes the round. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { round, failed } = this.#options;
    while (!signal.aborted) {
      try {
        await round(signal);
        this.#failures = 0;
      } catch (error) {
        this.#failures += 1;
        if (!signal.aborted) failed(error, this.#failures);
      }
      await delay(this.#failures > 0 ? backOffMs(this.#failures, BACK_OFF) : this.#options.pollMs, signal);
    }
  }
}
