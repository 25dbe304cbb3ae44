import type { Message } from '@astro/event-sourcing/decider';
import { derivedId } from '@astro/event-sourcing/ids';
import type { AggregateRef, Metadata, Recorded } from '@astro/event-sourcing/recorded';
import { encode, typeNameOf } from '@astro/messages/codec';
import { DeliverPolicy, JetStreamApiError, type StoredMsg } from '@nats-io/jetstream';
import { nuid, type MsgHdrs } from '@nats-io/transport-node';
import { REQUEST_TIMEOUT_MS, type Bus } from './bus.js';
import { recordedFrom } from './delivered.js';
import { readPage } from './direct-read.js';
import { envelope, plainHeaders, subjectOf } from './headers.js';
import { contextOf, eventsOf, eventStreamOf, eventSubject } from './subjects.js';

/** Somebody else appended to the aggregate since it was read. */
export class ConcurrencyConflict extends Error {
  override readonly name = 'ConcurrencyConflict';
}

export type AppendOptions = {
  /** Position of the aggregate's last event as the decision saw it; 0 when it has none. */
  readonly expectedPosition: number;
  /** The command that was decided: the event ids follow from it, and it becomes their causation. */
  readonly commandId: string;
  readonly metadata: Metadata;
};
export type Appended = {
  /** Of the last of the events. */
  readonly position: number;
  readonly eventIds: readonly string[];
  /** They had been recorded at or before `expectedPosition`, so that nothing was added. */
  readonly repeated: boolean;
};

/** The server takes at most 1,000 messages in one atomic batch. */
const MAX_EVENTS_PER_APPEND = 1_000;
const PAGE_SIZE = 512;
/** Times that an append without an answer is looked up and sent again. */
const APPEND_ATTEMPTS = 3;

const WRONG_LAST_SEQUENCE = 10071;
const WRONG_LAST_SEQUENCE_UNKNOWN = 10164;
const BATCH_HAS_DUPLICATE = 10201;

type Outgoing = { readonly subject: string; readonly data: Uint8Array; readonly headers: MsgHdrs };

type Ack = {
  readonly seq: number;
  readonly duplicate?: boolean;
  readonly error?: { readonly code: number; readonly err_code: number; readonly description: string };
};

/**
 * JetStream as the event store: one stream for each context, one subject for each event name of each
 * aggregate.
 */
export class EventStore {
  readonly #bus: Bus;

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  /** Events of one aggregate with a position above `afterPosition`, oldest first. */
  async load(aggregate: AggregateRef, afterPosition = 0): Promise<readonly Recorded[]> {
    const stream = eventStreamOf(contextOf(aggregate.type));
    const recorded: Recorded[] = [];
    for (let seq = afterPosition + 1; ;) {
      const page = await readPage(this.#bus, stream, {
        seq,
        batch: PAGE_SIZE,
        next_by_subj: eventsOf(aggregate),
      });
      recorded.push(...page.map(recordedOf));
      const last = page.at(-1);
      if (!last || last.pending === 0) return recorded;
      seq = last.seq + 1;
    }
  }

  /**
   * Appends all of `events` or none. Safe to repeat: the same command gives the same event ids.
   * @throws ConcurrencyConflict when the aggregate has moved on since `expectedPosition`
   * @throws Error when JetStream gave no answer and the stream does not show what became of the append
   */
  async append(
    aggregate: AggregateRef,
    events: readonly Message[],
    options: AppendOptions,
  ): Promise<Appended> {
    if (events.length === 0) throw new Error('there is nothing to append');
    if (events.length > MAX_EVENTS_PER_APPEND) {
      throw new Error(
        `${events.length} events are too many for one decision: at most ${MAX_EVENTS_PER_APPEND}`,
      );
    }
    const eventIds = events.map((_event, index) => derivedId('evt', options.commandId, index));
    const outgoing = events.map((event, index) => prepare(aggregate, event, eventIds[index]!, options));
    expectPosition(outgoing[0]!.headers, aggregate, options.expectedPosition);
    for (let attempt = 1; ; attempt++) {
      try {
        const { seq, duplicate } = await this.#publish(outgoing);
        if (!duplicate) return { position: seq, eventIds, repeated: false };
        if (seq <= options.expectedPosition) return { position: seq, eventIds, repeated: true };
        throw new Error('the first of the events had been recorded before');
      } catch (error) {
        const position = await this.#lookUp(aggregate, eventIds, options.expectedPosition, error);
        if (position !== undefined) return { position, eventIds, repeated: false };
        if (attempt === APPEND_ATTEMPTS) throw new Error('an append had no answer', { cause: error });
      }
    }
  }

  /** The aggregate's events after a position, then every new one as it is recorded, until `signal` aborts. */
  async *follow(
    aggregate: AggregateRef,
    options: { readonly afterPosition: number; readonly signal: AbortSignal },
  ): AsyncIterable<Recorded> {
    if (options.signal.aborted) return;
    const consumer = await this.#bus.js.consumers.get(eventStreamOf(contextOf(aggregate.type)), {
      filter_subjects: eventsOf(aggregate),
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: options.afterPosition + 1,
    });
    const messages = await consumer.consume({ max_messages: PAGE_SIZE });
    const close = () => void messages.close();
    options.signal.addEventListener('abort', close, { once: true });
    try {
      if (options.signal.aborted) return;
      for await (const { subject, seq, time, data, headers } of messages) {
        if (options.signal.aborted) return;
        yield recordedFrom({
          subject,
          position: seq,
          recordedAt: time,
          data,
          headers: plainHeaders(headers),
        });
      }
    } finally {
      options.signal.removeEventListener('abort', close);
      await messages.close();
    }
  }

  async #publish(outgoing: readonly Outgoing[]): Promise<Ack> {
    await this.#bus.ready();
    const last = outgoing.at(-1)!;
    if (outgoing.length > 1) this.#openBatch(outgoing, nuid.next());
    const { connection } = this.#bus;
    const answer = await connection.request(last.subject, last.data, {
      headers: last.headers,
      timeout: REQUEST_TIMEOUT_MS,
    });
    const ack = answer.json<Ack>();
    if (ack.error) throw new JetStreamApiError(ack.error);
    return ack;
  }

  /** Sends all but the last message of an atomic batch; the last one commits it and carries the answer. */
  #openBatch(outgoing: readonly Outgoing[], batchId: string): void {
    for (const [index, { subject, data, headers }] of outgoing.entries()) {
      headers.set('Nats-Batch-Id', batchId);
      headers.set('Nats-Batch-Sequence', String(index + 1));
      if (index === outgoing.length - 1) headers.set('Nats-Batch-Commit', '1');
      else this.#bus.connection.publish(subject, data, { headers });
    }
  }

  /**
   * What became of an append that failed or had no answer. Gives its position when it was recorded after
   * all, and undefined when it was not and may be sent again.
   */
  async #lookUp(
    aggregate: AggregateRef,
    eventIds: readonly string[],
    expectedPosition: number,
    error: unknown,
  ): Promise<number | undefined> {
    const code = error instanceof JetStreamApiError ? error.code : undefined;
    const raced =
      code === WRONG_LAST_SEQUENCE || code === WRONG_LAST_SEQUENCE_UNKNOWN || code === BATCH_HAS_DUPLICATE;
    // Any other answer is a refusal that repeating does not change.
    if (code !== undefined && !raced) throw error;
    const since = await this.load(aggregate, expectedPosition);
    const isOurs = eventIds.every((id, index) => since[index]?.id === id);
    if (isOurs) return since[eventIds.length - 1]!.position;
    if (raced || since.length > 0) {
      throw new ConcurrencyConflict(`${subjectOf(aggregate)} has moved past ${expectedPosition}`, {
        cause: error,
      });
    }
    return undefined;
  }
}

const recordedOf = ({ subject, seq, time, data, header }: StoredMsg): Recorded =>
  recordedFrom({ subject, position: seq, recordedAt: time, data, headers: plainHeaders(header) });

function prepare(aggregate: AggregateRef, event: Message, id: string, options: AppendOptions): Outgoing {
  const typeName = typeNameOf('event', aggregate.type, event.type);
  return {
    subject: eventSubject(aggregate, event.type),
    data: encode(typeName, event.data),
    headers: envelope({
      id,
      typeName,
      source: contextOf(aggregate.type),
      subject: subjectOf(aggregate),
      metadata: { ...options.metadata, causationId: options.commandId },
    }),
  };
}

/** In an atomic batch the first message alone carries it: it covers the aggregate's every subject. */
function expectPosition(written: MsgHdrs, aggregate: AggregateRef, position: number): void {
  written.set('Nats-Expected-Last-Subject-Sequence', String(position));
  written.set('Nats-Expected-Last-Subject-Sequence-Subject', eventsOf(aggregate));
}
