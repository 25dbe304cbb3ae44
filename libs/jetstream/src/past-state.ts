import type { SnapshotFormat } from '@astro/event-sourcing/decider';
import type { AggregateRef } from '@astro/event-sourcing/recorded';
import type { EventStore } from './event-store.js';
import type { Snapshots } from './snapshots.js';

/** What an aggregate was after the event at `position`. */
export type PastState<State> = { readonly state: State; readonly position: number };

/**
 * The newest state that is kept of an aggregate as of a position or before it. Undefined when none is of this version
 * of the format, or ends with an event that is in the stream: then the history begins with its first event.
 */
export async function keptStateBefore<State>(
  { events, snapshots }: { readonly events: EventStore; readonly snapshots: Snapshots },
  aggregate: AggregateRef,
  format: SnapshotFormat<State>,
  position: number,
): Promise<PastState<State> | undefined> {
  for await (const snapshot of snapshots.readBefore(aggregate, position)) {
    if (snapshot.version !== format.version) continue;
    const { events: found } = await events.loadSome(aggregate, snapshot.position - 1, 1);
    const [last] = found;
    if (last?.position !== snapshot.position || last.id !== snapshot.eventId) continue;
    const state = snapshots.decode(aggregate, snapshot, format);
    if (state !== undefined) return { state, position: snapshot.position };
  }
  return undefined;
}
