import type { Bus } from './bus.js';
import { DurableLane, type DurableLaneOptions } from './durable-lane.js';
import type { Log } from './log.js';
import { PositionedLane, type PositionedLaneOptions } from './positioned-lane.js';
import type { Delivered } from './delivered.js';

export { recordedFrom, type Delivered } from './delivered.js';
export { Unprocessable } from './unprocessable.js';

/**
 * With `handle`: messages one by one, in order for each key, acknowledged when handled, dead letters in the
 * end. With `handleBatch`: batches in strict order from a checkpoint that the handler keeps, retried for
 * ever.
 */
export type LaneOptions =
  | (DurableLaneOptions & { readonly handleBatch?: undefined })
  | (Omit<PositionedLaneOptions<Delivered>, 'read'> & Partial<DurableLaneOptions>);

/**
 * A way of messages from one stream to one handler. Outlives restarts of the server and of the connection.
 */
export class Lane {
  readonly name: string;
  readonly #lane: DurableLane | PositionedLane<Delivered>;

  constructor(bus: Bus, options: LaneOptions, log: Log) {
    this.name = options.durable;
    this.#lane = options.handleBatch
      ? new PositionedLane(bus, { ...options, read: message => message }, log)
      : new DurableLane(bus, options, log);
  }

  /** Resolves when messages can arrive. */
  start(): Promise<void> {
    return this.#lane.start();
  }

  /** Takes no more and waits, within limits, for what is being handled. */
  stop(): Promise<void> {
    return this.#lane.stop();
  }

  /** Whether messages can arrive and none of them holds the lane up. */
  get healthy(): boolean {
    return this.#lane.healthy;
  }

  /** Messages that it has handled one by one. */
  get handled(): number {
    return this.#lane instanceof DurableLane ? this.#lane.handled : 0;
  }
}

/** A consumer's name holds no dots: `billing.reserve-funds` becomes `billing_reserve-funds`. */
export const consumerNameOf = (name: string): string => name.replace(/[^A-Za-z0-9_-]/g, '_');
