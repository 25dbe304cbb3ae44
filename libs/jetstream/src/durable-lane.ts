import {
  AckPolicy,
  DeliverPolicy,
  type ConsumerMessages,
  type ConsumerUpdateConfig,
  type JsMsg,
} from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import type { Bus } from './bus.js';
import { ConsumeLoop, FENCED_PULL, PULL } from './consume-loop.js';
import { crashPoint } from './crash-point.js';
import { DeadLetters } from './dead-letters.js';
import { backOffMs, delay } from './delay.js';
import { deliveredOf, type Delivered } from './delivered.js';
import type { Fence } from './fence.js';
import { KeyedQueue } from './keyed-queue.js';
import { reasonOf, type Log } from './log.js';
import { takeOver } from './takeover.js';
import { isUnprocessable } from './unprocessable.js';

export type DurableLaneOptions = {
  readonly stream: string;
  readonly durable: string;
  readonly filterSubjects: readonly string[];
  handle(message: Delivered): Promise<void>;
  /** Messages taken from the stream and not yet acknowledged: 256 unless told. */
  readonly maxInFlight?: number;
  /** Attempts at one message before it becomes a dead letter: 10 unless told. */
  readonly maxDeliveries?: number;
  /** Messages of one key are handled one after the other, in the stream's order. */
  keyOf?(message: Delivered): string;
  /**
   * `redeliver` (the default) hands a failed message back and goes on with the next of its key; `in-place`
   * tries it again before any later one of its key.
   */
  readonly retry?: 'redeliver' | 'in-place';
  /** For one of several processes that take turns: nothing is handled once it is not held any more. */
  readonly fence?: Fence;
};

const DEFAULT_MAX_IN_FLIGHT = 256;
const DEFAULT_MAX_DELIVERIES = 10;
/** Fault tests shorten it, so that pauses of seconds outlast it. */
const ACK_WAIT_MS = Number(process.env['ASTRO_ACK_WAIT_MS'] || 30_000);
if (!(ACK_WAIT_MS >= 1_000 && ACK_WAIT_MS <= 30_000))
  throw new Error('ASTRO_ACK_WAIT_MS: must be from 1000 to 30000');
/** Well below half of the ack wait, so that one lost heartbeat does no harm. */
const HEARTBEAT_MS = ACK_WAIT_MS / 3;
/**
 * With ten deliveries, a message has one to two minutes before it becomes a dead letter. That must be well beyond the
 * ack wait: what a process that died had taken comes back only then, and later messages may wait for it.
 */
const RETRY_BACK_OFF = { baseMs: 250, maxMs: 60_000 };
const STOP_TIMEOUT_MS = 10_000;
/**
 * Deliveries beyond the last attempt: a process that dies while handling leaves the dead letter to the next
 * one.
 */
const SPARE_DELIVERIES = 16;
/** In-place attempts after which the lane reports itself unhealthy. */
const UNHEALTHY_AFTER_ATTEMPTS = 3;

type Work = { message: JsMsg; readonly delivered: Delivered };

/** A durable pull consumer whose messages are handled key by key, and acknowledged once they are handled. */
export class DurableLane {
  readonly #bus: Bus;
  readonly #options: DurableLaneOptions;
  readonly #log: Log;
  readonly #loop: ConsumeLoop;
  readonly #queue = new KeyedQueue();
  readonly #deadLetters: DeadLetters;
  readonly #maxInFlight: number;
  readonly #maxDeliveries: number;
  readonly #stopping = new AbortController();
  /** By stream sequence, so that a redelivery of what is still being handled is not handled twice. */
  readonly #inFlight = new Map<number, Work>();
  readonly #stuck = new Set<number>();
  /** Up to here one message at a time: see `takeOver`. */
  #cautiousUntil = 0;
  /** The first message has had all its attempts, each of which ended its process. */
  #isFirstHopeless = false;
  #handled = 0;
  #heartbeat: NodeJS.Timeout | undefined;

  constructor(bus: Bus, options: DurableLaneOptions, log: Log) {
    this.#bus = bus;
    this.#options = options;
    this.#log = log;
    this.#deadLetters = new DeadLetters(bus);
    this.#maxInFlight = options.maxInFlight ?? DEFAULT_MAX_IN_FLIGHT;
    this.#maxDeliveries = options.maxDeliveries ?? DEFAULT_MAX_DELIVERIES;
    const take = (message: JsMsg) => this.#take(message);
    this.#loop = new ConsumeLoop(bus, { name: options.durable, open: () => this.#open(), take }, log);
  }

  async start(): Promise<void> {
    this.#heartbeat = setInterval(() => this.#extend(), HEARTBEAT_MS);
    await this.#loop.start();
  }

  /** Takes no more, waits for what is being handled, and leaves the rest to be delivered again. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop.stop();
    const deadline = Date.now() + STOP_TIMEOUT_MS;
    while (this.#inFlight.size > 0 && Date.now() < deadline) await delay(10);
    clearInterval(this.#heartbeat);
  }

  get healthy(): boolean {
    return this.#loop.isConsuming && this.#stuck.size === 0;
  }

  get handled(): number {
    return this.#handled;
  }

  async #open(): Promise<ConsumerMessages> {
    const { stream, durable, filterSubjects, fence } = this.#options;
    const config = {
      filter_subjects: [...filterSubjects],
      ack_wait: nanos(ACK_WAIT_MS),
      max_ack_pending: this.#maxInFlight,
      max_deliver: this.#maxDeliveries + SPARE_DELIVERIES,
    };
    if (fence) return this.#openFenced(config, fence);
    const { num_ack_pending } = await this.#bus.jsm.consumers.add(stream, {
      ...config,
      durable_name: durable,
      deliver_policy: DeliverPolicy.All,
      ack_policy: AckPolicy.Explicit,
    });
    if (this.#options.retry === 'in-place' && num_ack_pending > 0) await this.#replayUnacknowledged();
    const consumer = await this.#bus.js.consumers.get(stream, durable);
    return consumer.consume({ ...PULL, max_messages: this.#maxInFlight });
  }

  async #openFenced(config: Partial<ConsumerUpdateConfig>, fence: Fence): Promise<ConsumerMessages> {
    const { stream, durable } = this.#options;
    const { info, group, cautiousUntil, deaths } = await takeOver(this.#bus, stream, durable, config, fence);
    this.#cautiousUntil = cautiousUntil;
    this.#isFirstHopeless = deaths >= this.#maxDeliveries;
    if (cautiousUntil > 0) this.#log.warn(`${durable} goes step by step`, { until: cautiousUntil, deaths });
    const consumer = this.#bus.js.consumers.getConsumerFromInfo(info);
    return consumer.consume({ ...FENCED_PULL, max_messages: this.#maxInFlight, group, priority: 0 });
  }

  /**
   * What a former connection had taken and not acknowledged would come back only after later messages.
   * Starting over from the first of them keeps the order.
   */
  async #replayUnacknowledged(): Promise<void> {
    await this.#bus.jsm.consumers.reset(this.#options.stream, this.#options.durable);
  }

  #take(message: JsMsg): void {
    const known = this.#inFlight.get(message.seq);
    if (known) {
      known.message = message;
      return;
    }
    const work: Work = { message, delivered: deliveredOf(message) };
    this.#inFlight.set(message.seq, work);
    const handled = this.#cautiousUntil > 0 ? this.#stepByStep(work) : this.#inTurn(work);
    void handled
      .catch((error: unknown) =>
        this.#log.error(`${this.#options.durable} broke`, { reason: reasonOf(error) }),
      )
      .finally(() => this.#inFlight.delete(work.delivered.position));
  }

  #inTurn(work: Work): Promise<void> {
    const key = this.#options.keyOf?.(work.delivered) ?? aggregateKey(work.delivered.subject);
    return this.#queue.run(key, () => this.#handle(work));
  }

  /** Those under suspicion one after the other; later ones take their turns among each other when these are through. */
  async #stepByStep(work: Work): Promise<void> {
    let turn = Promise.resolve();
    await this.#queue.run('', async () => {
      if (this.#isFirstHopeless) {
        this.#isFirstHopeless = false;
        return this.#bury(work, 'every attempt ended its process');
      }
      turn = this.#inTurn(work);
      return work.delivered.position <= this.#cautiousUntil ? turn : undefined;
    });
    await turn;
  }

  async #handle(work: Work): Promise<void> {
    const inPlace = this.#options.retry === 'in-place';
    let attempt = work.delivered.deliveries;
    if (attempt > this.#maxDeliveries) return this.#bury(work, 'every attempt ended without an answer');
    for (; !this.#isOver; attempt++) {
      try {
        await this.#options.handle(work.delivered);
        this.#stuck.delete(work.delivered.position);
        crashPoint('before-ack');
        work.message.ack();
        this.#handled += 1;
        return;
      } catch (error) {
        if (this.#isFinal(error, attempt)) return this.#bury(work, reasonOf(error));
        this.#noteFailure(work, attempt, error);
        if (!inPlace) return work.message.nak(backOffMs(attempt, RETRY_BACK_OFF));
        await delay(backOffMs(attempt, RETRY_BACK_OFF), this.#stopping.signal);
        // While the bus is away nothing could succeed: that is no fault of the message.
        if (!this.#bus.isUp) attempt -= 1;
      }
    }
    this.#stuck.delete(work.delivered.position);
    // Who has taken it over gets it anyway, in the stream's order.
    if (!this.#options.fence) work.message.nak();
  }

  get #isOver(): boolean {
    return this.#stopping.signal.aborted || this.#options.fence?.isHeld === false;
  }

  #isFinal(error: unknown, attempt: number): boolean {
    return isUnprocessable(error) || (attempt >= this.#maxDeliveries && this.#bus.isUp);
  }

  #noteFailure({ delivered }: Work, attempt: number, error: unknown): void {
    const { subject, position } = delivered;
    this.#log.warn(`${this.#options.durable} failed`, {
      subject,
      position,
      attempt,
      reason: reasonOf(error),
    });
    if (this.#options.retry === 'in-place' && attempt >= UNHEALTHY_AFTER_ATTEMPTS) this.#stuck.add(position);
  }

  /** Ends a message's deliveries, but only once its dead letter is durable. */
  async #bury(work: Work, reason: string): Promise<void> {
    const { stream, durable } = this.#options;
    const { subject, position } = work.delivered;
    for (let attempt = 1; !this.#isOver; attempt++) {
      try {
        await this.#deadLetters.publish(stream, durable, work.delivered, reason);
        this.#stuck.delete(position);
        work.message.term(reason.slice(0, 100));
        this.#log.error(`${durable} gave a message up`, { subject, position, reason });
        return;
      } catch (error) {
        this.#log.warn(`${durable} could not write a dead letter`, { position, reason: reasonOf(error) });
        await delay(backOffMs(attempt, RETRY_BACK_OFF), this.#stopping.signal);
      }
    }
  }

  /** Messages that wait for their key or have a slow handler stay ours. */
  #extend(): void {
    for (const { message } of this.#inFlight.values()) message.working();
  }
}

/** `evt.<context>.<aggregate>.<id>` of events and commands; `<kind>.<nodeId>` of what agents say. */
function aggregateKey(subject: string): string {
  const tokens = subject.split('.');
  return tokens.slice(0, tokens[0] === 'evt' || tokens[0] === 'cmd' ? 4 : 2).join('.');
}
