import { AckPolicy, DeliverPolicy, type ConsumerMessages, type JsMsg } from '@nats-io/jetstream';
import { nanos, nuid } from '@nats-io/transport-node';
import type { Bus } from './bus.js';
import { ConsumeLoop, PULL } from './consume-loop.js';
import { backOffMs, delay } from './delay.js';
import { deliveredOf, type Delivered } from './delivered.js';
import { reasonOf, type Log } from './log.js';

export type PositionedLaneOptions<Item> = {
  readonly stream: string;
  /** Names the lane; its consumers are this and a suffix. */
  readonly durable: string;
  readonly filterSubjects: readonly string[];
  /**
   * What is handled of a message; undefined passes it over. Called on arrival, which is while another batch is being
   * handled. What it throws is a failure of the message's batch.
   */
  read(message: Delivered): Item | undefined;
  handleBatch(items: readonly Item[]): Promise<void>;
  /** Position of the last message that was handled for good: the checkpoint. Asked at every (re)start. */
  startAfter(): Promise<number>;
  /** The most in one batch, 1,000 unless told; as many again wait behind it. */
  readonly maxInFlight?: number;
};

type Arrived<Item> = { readonly message: JsMsg; readonly item?: Item; readonly failure?: { cause: unknown } };

const DEFAULT_MAX_IN_FLIGHT = 1_000;
/** An idle or abandoned consumer is removed by the server after this long. */
const INACTIVE_MS = 60_000;
const ACK_WAIT_MS = 120_000;
const RETRY_BACK_OFF = { baseMs: 100, maxMs: 15_000 };
const UNHEALTHY_AFTER_ATTEMPTS = 3;

/**
 * Batches in the stream's strict order, from a checkpoint on. Whoever keeps the checkpoint skips what is
 * below it, so no message may ever be overtaken by a later one. A durable consumer cannot promise that:
 * what a dead process had taken comes back after newer messages. So each (re)start makes a consumer of its
 * own from the checkpoint, and a gap or repetition in its numbering starts it over. A batch that fails is
 * tried again for ever; nothing is skipped.
 */
export class PositionedLane<Item> {
  readonly #bus: Bus;
  readonly #options: PositionedLaneOptions<Item>;
  readonly #log: Log;
  readonly #loop: ConsumeLoop;
  readonly #maxInFlight: number;
  readonly #stopping = new AbortController();
  #waiting: Arrived<Item>[] = [];
  #draining: Promise<void> | undefined;
  #lastDelivery = 0;
  #failedAttempts = 0;

  constructor(bus: Bus, options: PositionedLaneOptions<Item>, log: Log) {
    this.#bus = bus;
    this.#options = options;
    this.#log = log;
    this.#maxInFlight = options.maxInFlight ?? DEFAULT_MAX_IN_FLIGHT;
    const take = (message: JsMsg) => this.#take(message);
    this.#loop = new ConsumeLoop(bus, { name: options.durable, open: () => this.#open(), take }, log);
  }

  start(): Promise<void> {
    return this.#loop.start();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop.stop();
    await this.#draining;
  }

  get healthy(): boolean {
    return this.#loop.isConsuming && this.#failedAttempts < UNHEALTHY_AFTER_ATTEMPTS;
  }

  async #open(): Promise<ConsumerMessages> {
    this.#waiting = [];
    await this.#draining;
    this.#lastDelivery = 0;
    const { stream, durable, filterSubjects } = this.#options;
    const position = await this.#options.startAfter();
    await this.#assertNotAhead(position);
    const { name } = await this.#bus.jsm.consumers.add(stream, {
      name: `${durable}-${nuid.next()}`,
      filter_subjects: [...filterSubjects],
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: position + 1,
      ack_policy: AckPolicy.All,
      ack_wait: nanos(ACK_WAIT_MS),
      // The next batch arrives while one is being handled.
      max_ack_pending: 2 * this.#maxInFlight,
      inactive_threshold: nanos(INACTIVE_MS),
      mem_storage: true,
    });
    const consumer = await this.#bus.js.consumers.get(stream, name);
    return consumer.consume({ ...PULL, max_messages: 2 * this.#maxInFlight });
  }

  /**
   * A checkpoint beyond the stream's end means that events were lost or that it belongs to another stream.
   */
  async #assertNotAhead(position: number): Promise<void> {
    const { state } = await this.#bus.jsm.streams.info(this.#options.stream);
    if (position <= state.last_seq) return;
    const { durable, stream } = this.#options;
    this.#log.error(`${durable} is ahead of its stream and stands still`, {
      position,
      lastPosition: state.last_seq,
    });
    throw new Error(`${durable} has seen ${position} of ${stream}, which ends at ${state.last_seq}`);
  }

  #take(message: JsMsg): void {
    const { deliverySequence } = message.info;
    if (deliverySequence !== this.#lastDelivery + 1) {
      throw new Error(`delivery ${deliverySequence} came after ${this.#lastDelivery}`);
    }
    this.#lastDelivery = deliverySequence;
    this.#waiting.push({ message, ...this.#read(message) });
    this.#draining ??= this.#drain().finally(() => (this.#draining = undefined));
  }

  #read(message: JsMsg): Omit<Arrived<Item>, 'message'> {
    try {
      const item = this.#options.read(deliveredOf(message));
      return item === undefined ? {} : { item };
    } catch (cause) {
      return { failure: { cause } };
    }
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0 && !this.#stopping.signal.aborted) {
      const batch = this.#waiting.splice(0, this.#maxInFlight);
      if (await this.#handle(batch)) batch.at(-1)!.message.ack();
    }
  }

  /** False when the lane was stopped before the batch succeeded. */
  async #handle(batch: readonly Arrived<Item>[]): Promise<boolean> {
    for (let attempt = 1; !this.#stopping.signal.aborted; attempt++) {
      try {
        const items = itemsOf(batch);
        if (items.length > 0) await this.#options.handleBatch(items);
        this.#failedAttempts = 0;
        return true;
      } catch (error) {
        this.#failedAttempts = attempt;
        const [from, to] = [batch[0]!.message.seq, batch.at(-1)!.message.seq];
        const fields = { from, to, attempt, reason: reasonOf(error) };
        if (attempt < UNHEALTHY_AFTER_ATTEMPTS) this.#log.warn(`${this.#options.durable} failed`, fields);
        else this.#log.error(`${this.#options.durable} keeps failing and stands still`, fields);
        await delay(backOffMs(attempt, RETRY_BACK_OFF), this.#stopping.signal);
      }
    }
    return false;
  }
}

/** @throws what was thrown while the first unreadable message of the batch was read */
function itemsOf<Item>(batch: readonly Arrived<Item>[]): readonly Item[] {
  const items: Item[] = [];
  for (const { item, failure } of batch) {
    if (failure) throw failure.cause;
    if (item !== undefined) items.push(item);
  }
  return items;
}
