import type { AggregateType, Recorded } from '@astro/event-sourcing/recorded';
import { DeliverPolicy } from '@nats-io/jetstream';
import type { Bus } from './bus.js';
import { deliveredOf, recordedFrom } from './delivered.js';
import { contextOf, eventStreamOf } from './subjects.js';

export type EventRange = {
  /** The aggregates whose events are read; all of one context. */
  readonly reads: readonly [AggregateType, ...AggregateType[]];
  readonly afterPosition: number;
  /** The last position that is read: without it, the last one there when the reading begins. */
  readonly upTo?: number;
  readonly batchSize: number;
  readonly signal?: AbortSignal;
};

/** Messages asked for ahead of the reader, so that the server never waits for it. */
const PREFETCHED_BATCHES = 2;

/** Events of some aggregates in the order of their stream, in batches, decoded; ends where the range ends. */
export async function* eventBatches(bus: Bus, range: EventRange): AsyncGenerator<readonly Recorded[]> {
  const { reads, afterPosition, upTo = Infinity, batchSize, signal } = range;
  const lastPosition = Math.min(upTo, await lastPositionOf(bus, reads));
  if (lastPosition <= afterPosition) return;
  const consumer = await bus.js.consumers.get(eventStreamOf(contextOf(reads[0])), {
    filter_subjects: [filterOf(reads)],
    deliver_policy: DeliverPolicy.StartSequence,
    opt_start_seq: afterPosition + 1,
  });
  const messages = await consumer.consume({ max_messages: PREFETCHED_BATCHES * batchSize });
  const abort = () => void messages.close();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    let batch: Recorded[] = [];
    for await (const message of messages) {
      const position = message.seq;
      if (position <= upTo) batch.push(recordedFrom(deliveredOf(message)));
      const isLast = position >= lastPosition;
      if (batch.length > 0 && (isLast || batch.length >= batchSize)) {
        yield batch;
        batch = [];
      }
      if (isLast) return;
    }
    signal?.throwIfAborted();
  } finally {
    signal?.removeEventListener('abort', abort);
    await messages.close();
  }
}

/**
 * One subject that covers all of `reads`, and possibly more. A server delivers by one filter as fast as without, but by
 * two filters over a million subjects thirty times as slowly, so what is too much is left out here.
 */
export function filterOf(reads: EventRange['reads']): string {
  const [first, ...more] = reads;
  return more.length === 0 ? `evt.${first}.>` : `evt.${contextOf(first)}.>`;
}

/** Whether the subject is that of an event of one of these aggregates. */
export const isAmong = (reads: EventRange['reads'], subject: string): boolean =>
  reads.some(type => subject.startsWith(`evt.${type}.`));

/** Position of the last event of these aggregates; 0 when there is none. */
export async function lastPositionOf(bus: Bus, reads: EventRange['reads']): Promise<number> {
  await bus.ready();
  const stream = eventStreamOf(contextOf(reads[0]));
  const last = await Promise.all(
    reads.map(type => bus.jsm.direct.getMessage(stream, { last_by_subj: `evt.${type}.>` })),
  );
  return Math.max(0, ...last.map(message => message?.seq ?? 0));
}
