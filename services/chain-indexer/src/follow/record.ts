import type { AggregateRef } from '@astro/event-sourcing/recorded';
import type { Bus } from '@astro/jetstream/bus';
import { lastPositionOf } from '@astro/jetstream/event-reader';
import type { EventStore } from '@astro/jetstream/event-store';
import type { MirrorEvent } from '@astro/messages/chain';
import { emptyMirror, evolve, type Mirror } from './mirror.js';

/** What stands in the record after the last final block is seldom more. */
const firstSpan = 128;

/**
 * The mirror as the record has it. Only its end is read: from a final block on, everything that could still be taken
 * back is there.
 */
export async function readMirror(
  bus: Bus,
  store: EventStore,
  aggregate: AggregateRef,
  before: { readonly number: number; readonly hash: string },
): Promise<Mirror> {
  const last = await lastPositionOf(bus, [aggregate.type]);
  for (let span = firstSpan; ; span *= 4) {
    const from = Math.max(0, last - span);
    const recorded = await store.load(aggregate, from);
    const events = recorded.map(({ event, position }) => ({ event: event as MirrorEvent, position }));
    const begins = from === 0 ? 0 : firmIn(events.map(({ event }) => event));
    if (begins < 0) continue;
    const base = from === 0 ? before : hashed(events[begins]!.event);
    return events
      .slice(begins)
      .reduce<Mirror>((mirror, { event, position }) => evolve(mirror, event, position), emptyMirror(base));
  }
}

const hashed = ({ data: { number, hash } }: MirrorEvent) => ({ number, hash });

/** Place of a block that is final now and that the record never took back, or -1. What follows it builds on it. */
function firmIn(events: readonly MirrorEvent[]): number {
  let final = 0;
  const reverted = new Set<string>();
  for (const { type, data } of events) {
    if (type === 'BlockReverted') reverted.add(data.hash);
    if (type === 'BlockIndexed') final = data.final ? Math.max(final, data.number) : final;
    else final = Math.max(final, data.finalNumber);
  }
  return events.findLastIndex(
    ({ type, data }) => type === 'BlockIndexed' && data.number <= final && !reverted.has(data.hash),
  );
}
