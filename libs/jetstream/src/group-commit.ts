import { JetStreamApiError } from '@nats-io/jetstream';
import { InvalidArgumentError } from '@nats-io/transport-node';
import { publishTogether, type Outgoing, type Stored } from './atomic-batch.js';
import type { Bus } from './bus.js';

/**
 * Fewer and larger batches are faster than more and smaller ones, up to about this size; two on their way
 * at once are slower than one after the other.
 */
const MAX_MESSAGES = 256;
const MAX_BYTES = 4 * 1_024 * 1_024;
/** Beyond them the server is too slow for its callers, who must hear of it. */
const MAX_WAITING = 10_000;
/** A refused batch of at most this many is tried again one by one; a larger one is halved. */
const ONE_BY_ONE = 16;

/** What is stored together or not at all. */
export type Unit = {
  readonly messages: readonly Outgoing[];
  /** Units with the same key never meet in one batch. */
  readonly key: string;
};

type Waiting = Unit & {
  readonly bytes: number;
  resolve(stored: Stored): void;
  reject(error: unknown): void;
};

type Settle = () => void;

/**
 * Stores what many callers bring at the same time in one atomic batch, so that they share one write to the
 * disk. One batch is on its way at a time; what comes meanwhile makes up the next. A lone caller waits for
 * nobody. All messages are of one stream.
 */
export class GroupCommit {
  readonly #bus: Bus;
  #waiting: Waiting[] = [];
  #isBusy = false;
  #isDue = false;

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  /**
   * @throws JetStreamApiError when the server refuses this unit, whatever becomes of the others; any other
   * Error when it gave no answer, or too many already wait
   */
  store(unit: Unit): Promise<Stored> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length >= MAX_WAITING) throw new Error(`${MAX_WAITING} writes already wait`);
      const bytes = unit.messages.reduce((sum, { data }) => sum + data.byteLength, 0);
      this.#waiting.push({ ...unit, bytes, resolve, reject });
      this.#wake();
    });
  }

  /** Whoever acts on the same news, such as the end of the last batch, comes within this turn. */
  #wake(): void {
    if (this.#isDue || this.#isBusy) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      this.#begin();
    });
  }

  /** A full batch begins before those of the last one hear of their fate: they may have much to do then. */
  #begin(): void {
    if (this.#isBusy || this.#waiting.length === 0) return;
    this.#isBusy = true;
    void this.#commit(this.#take()).then(fates => {
      this.#isBusy = false;
      if (this.#waiting.length >= MAX_MESSAGES) this.#begin();
      for (const settle of fates) settle();
      if (this.#waiting.length > 0) this.#wake();
    });
  }

  /** The next batch, first come first served. */
  #take(): readonly Waiting[] {
    const batch: Waiting[] = [];
    const later: Waiting[] = [];
    const keys = new Set<string>();
    let count = 0;
    let bytes = 0;
    let isFull = false;
    for (const unit of this.#waiting) {
      const fits = count + unit.messages.length <= MAX_MESSAGES && bytes + unit.bytes <= MAX_BYTES;
      // What is too large for any batch goes alone.
      isFull ||= !fits && batch.length > 0;
      if (isFull || keys.has(unit.key)) {
        later.push(unit);
        continue;
      }
      batch.push(unit);
      keys.add(unit.key);
      count += unit.messages.length;
      bytes += unit.bytes;
    }
    this.#waiting = later;
    return batch;
  }

  /** Never throws: each unit has a fate of its own. */
  async #commit(batch: readonly Waiting[]): Promise<readonly Settle[]> {
    try {
      const messages = batch.flatMap(unit => unit.messages);
      const { seq, duplicate } = await publishTogether(this.#bus, messages);
      let last = seq - messages.length;
      return batch.map(unit => {
        const stored = { seq: (last += unit.messages.length), ...(duplicate && { duplicate }) };
        return () => unit.resolve(stored);
      });
    } catch (error) {
      if (batch.length > 1 && isRefusal(error)) return this.#separate(batch);
      return batch.map(unit => () => unit.reject(error));
    }
  }

  /** Nothing of a refused batch was stored, and the refusal does not say on whose account. */
  async #separate(batch: readonly Waiting[]): Promise<readonly Settle[]> {
    if (batch.length <= ONE_BY_ONE) {
      return (await Promise.all(batch.map(unit => this.#commit([unit])))).flat();
    }
    const middle = batch.length >> 1;
    return [...(await this.#commit(batch.slice(0, middle))), ...(await this.#commit(batch.slice(middle)))];
  }
}

/** Of anything else nobody knows whether the messages were stored. */
const isRefusal = (error: unknown): boolean =>
  error instanceof JetStreamApiError || error instanceof InvalidArgumentError;
