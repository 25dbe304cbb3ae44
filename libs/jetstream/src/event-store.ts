import type { Message } from '@astro/event-sourcing/decider';
import { derivedId } from '@astro/event-sourcing/ids';
import type { AggregateRef, Metadata, Recorded } from '@astro/event-sourcing/recorded';
import { encode, typeNameOf } from '@astro/messages/codec';
import { DeliverPolicy, JetStreamApiError, type StoredMsg } from '@nats-io/jetstream';
import { BATCH_INCOMPLETE, MAX_BATCH_MESSAGES, type Outgoing } from './atomic-batch.js';
import type { Bus } from './bus.js';
import { deliveredOf, recordedFrom } from './delivered.js';
import { readPage } from './direct-read.js';
import { GroupCommit } from './group-commit.js';
import { envelopeLines, headerLine, plainHeaders, subjectOf } from './headers.js';
import { contextOf, eventsOf, eventStreamOf, eventSubject } from './subjects.js';

/** Somebody else appended to the aggregate since it was read. */
export class ConcurrencyConflict extends Error {
  override readonly name = 'ConcurrencyConflict';
}

/** Nobody knows yet whether the events were recorded. */
export class Unanswered extends Error {
  override readonly name = 'Unanswered';
}

/** Why events are recorded. */
export type Origin = {
  /** The command that was decided: the event ids follow from it, and it becomes their causation. */
  readonly commandId: string;
  readonly metadata: Metadata;
};
export type AppendOptions = Origin & {
  /** Position of the aggregate's last event as the decision saw it; 0 when it has none. */
  readonly expectedPosition: number;
};
/** What follows from one command. */
export type Decided = Origin & { readonly events: readonly Message[] };
export type Appended = {
  /** Of the last of the events. */
  readonly position: number;
  readonly eventIds: readonly string[];
  /** They had been recorded at or before `expectedPosition`, so that nothing was added. */
  readonly repeated: boolean;
};

const MAX_EVENTS_PER_APPEND = MAX_BATCH_MESSAGES;
const PAGE_SIZE = 512;
/** Times that an append without an answer is looked up and sent again. */
const APPEND_ATTEMPTS = 3;

const WRONG_LAST_SEQUENCE = 10071;
const WRONG_LAST_SEQUENCE_UNKNOWN = 10164;
const BATCH_HAS_DUPLICATE = 10201;

/**
 * JetStream as the event store: one stream for each context, one subject for each event name of each
 * aggregate. Concurrent appends to aggregates of one context share a write; a refusal of one of them leaves
 * the others alone.
 */
export class EventStore {
  readonly #bus: Bus;
  readonly #commits = new Map<string, GroupCommit>();

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  /** Events of one aggregate with a position above `afterPosition`, oldest first. */
  async load(aggregate: AggregateRef, afterPosition = 0): Promise<readonly Recorded[]> {
    const recorded: Recorded[] = [];
    for (let after = afterPosition; ;) {
      const { events, isAll } = await this.loadSome(aggregate, after, PAGE_SIZE);
      recorded.push(...events);
      if (isAll) return recorded;
      after = events.at(-1)!.position;
    }
  }

  /** At most `limit` of the same events, and whether these are all of them. The server may give fewer. */
  async loadSome(
    aggregate: AggregateRef,
    afterPosition: number,
    limit: number,
  ): Promise<{ readonly events: readonly Recorded[]; readonly isAll: boolean }> {
    const page = await readPage(this.#bus, eventStreamOf(contextOf(aggregate.type)), {
      seq: afterPosition + 1,
      batch: limit,
      next_by_subj: eventsOf(aggregate),
    });
    return { events: page.map(recordedOf), isAll: (page.at(-1)?.pending ?? 0) === 0 };
  }

  /**
   * Appends all of `events` or none. Safe to repeat: the same command gives the same event ids.
   * @throws ConcurrencyConflict when the aggregate has moved on since `expectedPosition`
   * @throws Unanswered when JetStream gave no answer and the stream does not show what became of the append
   */
  append(aggregate: AggregateRef, events: readonly Message[], options: AppendOptions): Promise<Appended> {
    return this.appendTogether(aggregate, [{ ...options, events }], options.expectedPosition);
  }

  /**
   * Appends the events of several commands to one aggregate, all or none, one right after the other. Each command was
   * decided on the state that the ones before it led to.
   * @param expectedPosition as the first of the decisions saw it
   * @throws what `append` throws
   */
  async appendTogether(
    aggregate: AggregateRef,
    decided: readonly Decided[],
    expectedPosition: number,
  ): Promise<Appended> {
    const messages: Outgoing[] = [];
    const eventIds: string[] = [];
    for (const { events, ...origin } of decided) {
      for (const [index, event] of events.entries()) {
        const id = derivedId('evt', origin.commandId, index);
        eventIds.push(id);
        messages.push(prepare(aggregate, event, id, origin));
      }
    }
    if (messages.length === 0) throw new Error('there is nothing to append');
    if (messages.length > MAX_EVENTS_PER_APPEND) {
      throw new Error(
        `${messages.length} events are too many for one append: at most ${MAX_EVENTS_PER_APPEND}`,
      );
    }
    messages[0] = expecting(messages[0]!, aggregate, expectedPosition);
    const commit = this.#commitOf(eventStreamOf(contextOf(aggregate.type)));
    for (let attempt = 1; ; attempt++) {
      try {
        const { seq, duplicate } = await commit.store({ messages, key: subjectOf(aggregate) });
        if (!duplicate) return { position: seq, eventIds, repeated: false };
        if (seq <= expectedPosition) return { position: seq, eventIds, repeated: true };
        throw new Error('the first of the events had been recorded before');
      } catch (error) {
        const position = await this.#lookUp(aggregate, eventIds, expectedPosition, error);
        if (position !== undefined) return { position, eventIds, repeated: false };
        if (attempt === APPEND_ATTEMPTS) throw new Unanswered('an append had no answer', { cause: error });
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
      for await (const message of messages) {
        if (options.signal.aborted) return;
        yield recordedFrom(deliveredOf(message));
      }
    } finally {
      options.signal.removeEventListener('abort', close);
      await messages.close();
    }
  }

  #commitOf(stream: string): GroupCommit {
    const known = this.#commits.get(stream);
    if (known) return known;
    const commit = new GroupCommit(this.#bus);
    this.#commits.set(stream, commit);
    return commit;
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
    const refusal = error instanceof JetStreamApiError ? error.code : undefined;
    const code = refusal === BATCH_INCOMPLETE ? undefined : refusal;
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

function prepare(aggregate: AggregateRef, event: Message, id: string, origin: Origin): Outgoing {
  const typeName = typeNameOf('event', aggregate.type, event.type);
  return {
    subject: eventSubject(aggregate, event.type),
    data: encode(typeName, event.data),
    headers: envelopeLines({
      id,
      typeName,
      source: contextOf(aggregate.type),
      subject: subjectOf(aggregate),
      metadata: { ...origin.metadata, causationId: origin.commandId },
    }),
  };
}

/** The first message of an append alone carries it: it covers the aggregate's every subject. */
const expecting = (message: Outgoing, aggregate: AggregateRef, position: number): Outgoing => ({
  ...message,
  headers:
    message.headers +
    headerLine('Nats-Expected-Last-Subject-Sequence', String(position)) +
    headerLine('Nats-Expected-Last-Subject-Sequence-Subject', eventsOf(aggregate)),
});
