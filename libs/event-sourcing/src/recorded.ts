import type { Message } from './decider.js';

/** `<context>.<aggregate>`, for example `scheduling.job`. */
export type AggregateType = `${string}.${string}`;

/** One aggregate: its type and the id of the instance. */
export type AggregateRef = { readonly type: AggregateType; readonly id: string };

/** Why a message exists and on whose behalf. Carried in headers, never in payloads. */
export type Metadata = {
  /** Shared by everything that follows from one request. */
  readonly correlationId: string;
  /** Id of the message that directly caused this one. */
  readonly causationId: string;
  /** Who wished it: `tenant:<id>`, `operator:<id>`, `node:<id>` or `service:<name>`. */
  readonly actor: string;
  readonly tenantId?: string;
};

/** An event as it stands in the event store. */
export type Recorded<Event extends Message = Message> = {
  readonly id: string;
  readonly aggregate: AggregateRef;
  readonly event: Event;
  /** Sequence in the context's stream: grows, may have gaps, the unit of "at least this far". */
  readonly position: number;
  /** The event store's own clock, so that replay gives the same answer. */
  readonly recordedAt: Date;
  readonly metadata: Metadata;
};
