import type { Message } from './decider.js';
import type { AggregateType, Recorded } from './recorded.js';

/**
 * How events fill a read model. `apply` must be safe to repeat: applying a batch twice changes nothing.
 * The runner calls it inside the transaction that also moves the checkpoint.
 */
export type Projection<Event extends Message, Tx> = {
  /** `<context>.<read-model>`: names the consumer and the checkpoint. */
  readonly name: string;
  /**
   * 1 at first, one more whenever the same events give other rows or columns: the tables are then filled anew
   * beside those that serve.
   */
  readonly version: number;
  /** The tables that this projection, and nothing else, fills; in the schema of its context. */
  readonly tables: readonly [string, ...string[]];
  /** The aggregates it reads; all of one context, because positions of two streams do not compare. */
  readonly reads: readonly [AggregateType, ...AggregateType[]];
  /** The most events in one transaction, where they are so large that it must be fewer than usual. */
  readonly maxBatch?: number;
  /** Called when an event has arrived, maybe while earlier ones are written: for what takes time and needs no table. */
  prepare?(recorded: Recorded<Event>): void;
  apply(tx: Tx, recorded: Recorded<Event>): Promise<unknown>;
  /** Of hot read models: in few statements what `apply` does to the events one by one, in their order. */
  applyBatch?(tx: Tx, batch: readonly Recorded<Event>[]): Promise<unknown>;
};
