import type { Bus } from '@astro/jetstream/bus';
import { backOffMs, delay } from '@astro/jetstream/delay';
import { reasonOf, type Log } from '@astro/jetstream/log';
import { readStored, type StoredMessage } from '@astro/jetstream/stored-messages';
import { eventStreamOf } from '@astro/jetstream/subjects';
import { StaleHead, type Archive } from './archive.js';
import { fingerprintOf } from './chain.js';

/** How far the archive lags behind a stream that is written rarely. */
const IDLE_INTERVAL_MS = 100;
const RETRY_BACK_OFF = { baseMs: 100, maxMs: 15_000 };
const UNHEALTHY_AFTER_FAILURES = 3;

/** The stream is not the one that was archived. Nothing is written until an operator has decided what is true. */
export class StreamDiffers extends Error {
  override readonly name = 'StreamDiffers';
}

/**
 * Copies a context's events into its archive as they come. It asks the stream for what follows the archive's head, so
 * that there is no consumer that could be lost, stall, or be ahead. Any number of archivers may run: the head is
 * fenced, and who comes late reads it again.
 */
export class Archiver {
  readonly name: string;
  readonly #bus: Bus;
  readonly #archive: Archive;
  readonly #stream: string;
  readonly #log: Log;
  readonly #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #failures = 0;

  constructor(bus: Bus, archive: Archive, context: string, log: Log) {
    this.name = `${context}_archive`;
    this.#bus = bus;
    this.#archive = archive;
    this.#stream = eventStreamOf(context);
    this.#log = log;
  }

  async start(): Promise<void> {
    this.#running = this.#run();
    await Promise.resolve();
  }

  /** Finishes the batch that is being written. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    await this.#archive.close();
  }

  get healthy(): boolean {
    return this.#failures < UNHEALTHY_AFTER_FAILURES;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        await this.#follow(signal);
      } catch (error) {
        if (error instanceof StaleHead) {
          // The other archiver is as fast; there is nothing to win by meeting it again at once.
          await delay(IDLE_INTERVAL_MS, signal);
          continue;
        }
        this.#failures += 1;
        const fields = { stream: this.#stream, failures: this.#failures, reason: reasonOf(error) };
        if (this.healthy) this.#log.warn(`${this.name} failed`, fields);
        else this.#log.error(`${this.name} keeps failing and stands still`, fields);
        await delay(backOffMs(this.#failures, RETRY_BACK_OFF), signal);
      }
    }
  }

  /**
   * Every read begins with the last event archived, so that a stream that was lost and made anew is noticed before
   * anything of it is chained to what was archived.
   */
  async #follow(signal: AbortSignal): Promise<void> {
    await this.#archive.prepare();
    let head = await this.#archive.head(this.#stream);
    const [archived] = head.sequence === 0 ? [] : await this.#archive.read(this.#stream, head.sequence - 1);
    if (head.sequence > 0 && archived?.sequence !== head.sequence) {
      throw new Error(`the archive of ${this.#stream} lacks its last event, ${head.sequence}`);
    }
    let last = archived && fingerprintOf(archived);
    while (!signal.aborted) {
      const page = await readStored(this.#bus, this.#stream, Math.max(0, head.sequence - 1));
      const events = head.sequence === 0 ? page : this.#after(head.sequence, last, page);
      if (events.length > 0) {
        head = await this.#archive.append(this.#stream, head, events);
        last = fingerprintOf(events.at(-1)!);
      }
      this.#failures = 0;
      if (events.length === 0) await delay(IDLE_INTERVAL_MS, signal);
    }
  }

  #after(
    position: number,
    fingerprint: string | undefined,
    page: readonly StoredMessage[],
  ): readonly StoredMessage[] {
    const [first, ...events] = page;
    if (!first) throw new StreamDiffers(`${this.#stream} ends before ${position}, which is archived`);
    if (first.sequence === position && fingerprintOf(first) === fingerprint) return events;
    throw new StreamDiffers(`${this.#stream} holds another event than the archived one at ${position}`);
  }
}
