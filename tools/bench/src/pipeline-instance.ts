// One of the service instances of the benchmarks `pipeline` and `memory`: its part of the commands, and nothing else.
import { AggregateStore } from '@astro/jetstream/aggregate-store';
import { Bus } from '@astro/jetstream/bus';
import { commandUnits } from '@astro/jetstream/command-lane';
import { EventStore } from '@astro/jetstream/event-store';
import { SharedWork } from '@astro/jetstream/shared-work';
import { operators, tenants } from './guest-book.js';
import { heapMb, rssMb } from './measure.js';
import { log, serve, tell } from './service-instance.js';

const [servers] = process.argv.slice(2);
if (!servers || !process.send) throw new Error('this is started by the benchmarks "pipeline" and "memory"');

const bus = await Bus.connect({ servers, name: `bench-${process.pid}` });
const events = new EventStore(bus);
const aggregates = {
  tenant: new AggregateStore(events, 'registry.tenant', tenants),
  operator: new AggregateStore(events, 'registry.operator', operators),
};
const work = new SharedWork(bus, 'registry', log);
for (const unit of commandUnits(bus, { context: 'registry', aggregates, log })) work.add(unit);

await serve(bus, work, {
  memory: () => {
    globalThis.gc?.();
    tell({ rssMb: rssMb(), heapMb: heapMb() });
  },
});
