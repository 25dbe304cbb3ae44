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
    filter_subjects: filtersOf(reads),
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

/** Position of the last event of these aggregates; 0 when there is none. */
export async function lastPositionOf(bus: Bus, reads: EventRange['reads']): Promise<number> {
  await bus.ready();
  const stream = eventStreamOf(contextOf(reads[0]));
  const last = await Promise.all(
    filtersOf(reads).map(last_by_subj => bus.jsm.direct.getMessage(stream, { last_by_subj })),
  );
  return Math.max(0, ...last.map(message => message?.seq ?? 0));
}

const filtersOf = (reads: EventRange['reads']): string[] => reads.map(type => `evt.${type}.>`);
