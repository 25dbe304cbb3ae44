import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '@astro/event-sourcing/ids';
import { AggregateStore } from '@astro/jetstream/aggregate-store';
import { EventStore } from '@astro/jetstream/event-store';
import { Snapshots } from '@astro/jetstream/snapshots';
import type { Benchmark } from './benchmark.js';
import { startBusServer } from './bus-server.js';
import { tenants } from './guest-book.js';
import { durationsMs, median, rounded, rssMb } from './measure.js';

const EVENTS = 100_000;
const EVENTS_PER_APPEND = 1_000;
/** Events behind the snapshot: as many as there are between two of them. */
const LATER_EVENTS = 500;
const TIMES = 20;

async function appendEvents(store: EventStore, id: string, count: number, after: number): Promise<number> {
  const metadata = { correlationId: newId('req'), causationId: newId('req'), actor: 'service:bench' };
  let position = after;
  for (let done = 0; done < count; done += EVENTS_PER_APPEND) {
    const events = Array.from({ length: Math.min(EVENTS_PER_APPEND, count - done) }, (_, index) => ({
      type: 'TenantRegistered',
      data: { tenantId: id, name: `guest ${done + index}` },
    }));
    const options = { expectedPosition: position, commandId: newId('cmd'), metadata };
    ({ position } = await store.append({ type: 'registry.tenant', id }, events, options));
  }
  return position;
}

export const load: Benchmark = {
  measures: 'loading an aggregate with 100,000 events, with a snapshot and without',
  async run(folder, progress) {
    const { bus, stop } = await startBusServer(join(folder, 'bus'), true);
    try {
      const events = new EventStore(bus);
      const snapshots = new Snapshots(bus);
      const id = newId('tenant');
      const position = await appendEvents(events, id, EVENTS, 0);
      progress(`${EVENTS} events are recorded`);
      const wholeMs = median(
        await durationsMs(3, () => new AggregateStore(events, 'registry.tenant', tenants).load(id)),
      );
      const fresh = () => new AggregateStore(events, 'registry.tenant', tenants, { snapshots });
      await fresh().load(id);
      while (!(await snapshots.read({ type: 'registry.tenant', id }))) await sleep(10);
      await appendEvents(events, id, LATER_EVENTS - 1, position);
      const snapshotMs = median(
        await durationsMs(TIMES, async () => {
          const { state } = await fresh().load(id);
          if (state !== EVENTS + LATER_EVENTS - 1) throw new Error(`${state} events were counted`);
        }),
      );
      return {
        events: EVENTS,
        wholeMs: rounded(wholeMs),
        snapshotMs: rounded(snapshotMs, 1),
        rssMb: rssMb(),
      };
    } finally {
      await stop();
    }
  },
};
