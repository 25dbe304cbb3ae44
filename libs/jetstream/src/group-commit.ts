import { JetStreamApiError } from '@nats-io/jetstream';
import { InvalidArgumentError } from '@nats-io/transport-node';
import { AtomicBatch, type Outgoing, type Stored } from './atomic-batch.js';
import type { Bus } from './bus.js';

/**
 * Fewer and larger batches are faster than more and smaller ones, up to about this size; two on their way
 * at once are slower than one after the other.
 */
const MAX_MESSAGES = 512;
const MAX_BYTES = 4 * 1_024 * 1_024;
/** Beyond them the server is too slow for its callers, who must hear of it. */
const MAX_WAITING = 10_000;
/**
 * A batch is staged by the server for as long as it takes to store about thirteen messages by themselves; up to
 * here, they go side by side. A refused batch of more is halved.
 */
const SIDE_BY_SIDE_MAX = 12;

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

/** What will be stored next, as far as it has come: side by side while it is little, then as one batch. */
class Gathering {
  readonly units: Waiting[] = [];
  readonly #bus: Bus;
  readonly #keys = new Set<string>();
  #batch: AtomicBatch | undefined;
  #messages = 0;
  #bytes = 0;
  #hasSeveral = false;

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  has(key: string): boolean {
    return this.#keys.has(key);
  }

  /** What is too large for any batch goes alone. */
  hasRoomFor({ messages, bytes }: Waiting): boolean {
    if (this.units.length === 0) return true;
    return this.#messages + messages.length <= MAX_MESSAGES && this.#bytes + bytes <= MAX_BYTES;
  }

  /** A unit more; as part of a batch it is on its way at once. */
  add(unit: Waiting): void {
    this.units.push(unit);
    this.#keys.add(unit.key);
    this.#messages += unit.messages.length;
    this.#bytes += unit.bytes;
    this.#hasSeveral ||= unit.messages.length > 1;
    if (this.#batch) fill(this.#batch, [unit]);
    // A unit of several messages is a batch in any case, and one costs less than two.
    else if (this.#hasSeveral || this.#messages > SIDE_BY_SIDE_MAX)
      this.#batch = fill(new AtomicBatch(this.#bus), this.units);
  }

  get messages(): number {
    return this.#messages;
  }

  /** The batch that they are all in; undefined while each of them goes by itself. */
  get batch(): AtomicBatch | undefined {
    return this.#batch;
  }
}

function fill(batch: AtomicBatch, units: readonly Unit[]): AtomicBatch {
  for (const { messages } of units) for (const message of messages) batch.add(message);
  return batch;
}

/**
 * Stores what many callers bring at the same time in one atomic batch, so that they share one write to the
 * disk; what a few bring goes side by side. One lot is being written at a time; what comes meanwhile makes up the
 * next. A lone caller waits for nobody. All messages are of one stream.
 */
export class GroupCommit {
  readonly #bus: Bus;
  /** Units that must wait for the batch after the one that is gathering or being written. */
  #waiting: Waiting[] = [];
  #gathering: Gathering | undefined;
  #isBusy = false;

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
      const { messages, key } = unit;
      const bytes = messages.reduce((sum, { data }) => sum + data.byteLength, 0);
      this.#admit({ messages, key, bytes, resolve, reject });
    });
  }

  /** First come first served; one whose key is in the batch already waits for the next, and lets others pass. */
  #admit(unit: Waiting): void {
    if (!this.#isBusy && this.#gathering?.hasRoomFor(unit) === false) this.#write();
    if (this.#isBusy || this.#gathering?.has(unit.key)) {
      this.#waiting.push(unit);
      return;
    }
    if (this.#gathering === undefined) {
      this.#gathering = new Gathering(this.#bus);
      // Whoever acts on the same news, such as the end of the last batch, comes within this turn.
      setImmediate(() => this.#write());
    }
    this.#gathering.add(unit);
    if (this.#gathering.messages >= MAX_MESSAGES) this.#write();
  }

  /** Those of the last batch hear of their fate when the next one is on its way: they may have much to do then. */
  #write(): void {
    const gathered = this.#gathering;
    if (this.#isBusy || gathered === undefined) return;
    this.#isBusy = true;
    this.#gathering = undefined;
    void this.#commit(gathered).then(fates => {
      this.#isBusy = false;
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const unit of waiting) this.#admit(unit);
      for (const settle of fates) settle();
    });
  }

  /** Never throws: each unit has a fate of its own. */
  #commit({ units, batch }: Gathering): Promise<readonly Settle[]> {
    return batch ? this.#together(units, batch) : this.#sideBySide(units);
  }

  async #sideBySide(units: readonly Waiting[]): Promise<readonly Settle[]> {
    return (await Promise.all(units.map(unit => this.#together([unit])))).flat();
  }

  async #together(
    units: readonly Waiting[],
    batch = fill(new AtomicBatch(this.#bus), units),
  ): Promise<readonly Settle[]> {
    try {
      const { seq, duplicate } = await batch.commit();
      let last = seq - units.reduce((sum, { messages }) => sum + messages.length, 0);
      return units.map(unit => {
        const stored = { seq: (last += unit.messages.length), ...(duplicate && { duplicate }) };
        return () => unit.resolve(stored);
      });
    } catch (error) {
      if (units.length > 1 && isRefusal(error)) return this.#separate(units);
      return units.map(unit => () => unit.reject(error));
    }
  }

  /** Nothing of a refused batch was stored, and the refusal does not say on whose account. */
  async #separate(units: readonly Waiting[]): Promise<readonly Settle[]> {
    if (units.length <= SIDE_BY_SIDE_MAX) return this.#sideBySide(units);
    const middle = units.length >> 1;
    return [
      ...(await this.#together(units.slice(0, middle))),
      ...(await this.#together(units.slice(middle))),
    ];
  }
}

/** Of anything else nobody knows whether the messages were stored. */
const isRefusal = (error: unknown): boolean =>
  error instanceof JetStreamApiError || error instanceof InvalidArgumentError;
