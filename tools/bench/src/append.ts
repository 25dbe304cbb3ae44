import { join } from 'node:path';
import { newId } from '@astro/event-sourcing/ids';
import type { AggregateRef } from '@astro/event-sourcing/recorded';
import type { Bus } from '@astro/jetstream/bus';
import { EventStore } from '@astro/jetstream/event-store';
import type { Benchmark } from './benchmark.js';
import { startBusServer } from './bus-server.js';
import { durationsMs, median, ratePerSecond, rounded, rssMb } from './measure.js';

const CALLERS = 256;
const ROUNDS = 3;
const ROUND = { warmUpMs: 500, measureMs: 2_500 };
const LONE_TIMES = 300;
/** What an event of ours weighs on the wire with its headers, so that the plain messages are not lighter. */
const PLAIN_BYTES = 640;

/** One aggregate after the other of a caller's own, each append behind the last one. */
function appender(bus: Bus): (caller: number) => Promise<unknown> {
  const store = new EventStore(bus);
  const metadata = { correlationId: newId('req'), causationId: newId('req'), actor: 'service:bench' };
  const owned = new Map<number, { readonly aggregate: AggregateRef; position: number }[]>();
  let count = 0;
  return async caller => {
    const aggregates = owned.get(caller) ?? Array.from({ length: 4 }, newAggregate);
    owned.set(caller, aggregates);
    const next = aggregates[count % aggregates.length]!;
    const event = {
      type: 'TenantRegistered',
      data: { tenantId: next.aggregate.id, name: `Tenant ${count++}` },
    };
    const options = { expectedPosition: next.position, commandId: newId('cmd'), metadata };
    ({ position: next.position } = await store.append(next.aggregate, [event], options));
  };
}

const newAggregate = () => ({
  aggregate: { type: 'registry.tenant', id: newId('tenant') } as const,
  position: 0,
});

async function plainPublisher(bus: Bus): Promise<(caller: number) => Promise<unknown>> {
  await bus.jsm.streams.add({ name: 'PLAIN', subjects: ['plain.*'] });
  const data = new Uint8Array(PLAIN_BYTES).fill(7);
  return caller => bus.js.publish(`plain.${caller}`, data);
}

/** Both sides take turns, so that what the machine does beside them strikes both. */
export const append: Benchmark = {
  measures: 'durable appends with group commit, beside plain publishes with and without fsync',
  async run(folder, progress) {
    const durable = await startBusServer(join(folder, 'durable'), true);
    const unsynced = await startBusServer(join(folder, 'unsynced'), false);
    try {
      const ours = appender(durable.bus);
      const plain = await plainPublisher(durable.bus);
      const plainUnsynced = await plainPublisher(unsynced.bus);
      const rates = { ours: [] as number[], plain: [] as number[], plainUnsynced: [] as number[] };
      for (let round = 1; round <= ROUNDS; round++) {
        rates.ours.push(await ratePerSecond(CALLERS, ROUND, ours));
        rates.plain.push(await ratePerSecond(CALLERS, ROUND, plain));
        rates.plainUnsynced.push(await ratePerSecond(CALLERS, ROUND, plainUnsynced));
        const latest = Object.entries(rates).map(([name, values]) => `${name} ${rounded(values.at(-1)!)}/s`);
        progress(`round ${round}: ${latest.join(', ')}`);
      }
      const loneMs = median(await durationsMs(LONE_TIMES, () => ours(0)));
      const plainLoneMs = median(await durationsMs(LONE_TIMES, () => plain(0)));
      return {
        durablePerSecond: rounded(median(rates.ours)),
        plainDurablePerSecond: rounded(median(rates.plain)),
        plainUnsyncedPerSecond: rounded(median(rates.plainUnsynced)),
        loneMs: rounded(loneMs, 2),
        plainLoneMs: rounded(plainLoneMs, 2),
        rssMb: rssMb(),
      };
    } finally {
      await Promise.all([durable.stop(), unsynced.stop()]);
    }
  },
};
