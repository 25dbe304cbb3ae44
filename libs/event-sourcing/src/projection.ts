import type { Message } from './decider.js';
import type { AggregateType, Recorded } from './recorded.js';

/**
 * How events fill a read model. `apply` must be safe to repeat: applying a batch twice changes nothing.
 * The runner calls it inside the transaction that also moves the checkpoint.
 */
export type Projection<Event extends Message, Tx> = {
  /** `<context>.<read-model>`: names the consumer and the checkpoint. */
  readonly name: string;
  /** The aggregates it reads; all of one context, because positions of two streams do not compare. */
  readonly reads: readonly [AggregateType, ...AggregateType[]];
  apply(tx: Tx, recorded: Recorded<Event>): Promise<unknown>;
};
