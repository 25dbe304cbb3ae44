// One of the two service instances of the benchmark `pipeline`: its command lane, and nothing else.
import { AggregateStore } from '@astro/jetstream/aggregate-store';
import { Bus } from '@astro/jetstream/bus';
import { commandLane } from '@astro/jetstream/command-lane';
import { EventStore } from '@astro/jetstream/event-store';
import { operators, tenants } from './guest-book.js';
import { heapMb, rssMb } from './measure.js';

const [servers, aggregate] = process.argv.slice(2);
if (!servers || (aggregate !== 'tenant' && aggregate !== 'operator') || !process.send) {
  throw new Error('this is started by the benchmark "pipeline"');
}

const bus = await Bus.connect({ servers, name: `bench-${aggregate}` });
const events = new EventStore(bus);
const store =
  aggregate === 'tenant'
    ? new AggregateStore(events, 'registry.tenant', tenants)
    : new AggregateStore(events, 'registry.operator', operators);
const lane = commandLane(bus, {
  context: 'registry',
  aggregates: { [aggregate]: store },
  part: { durable: `registry_${aggregate}_commands`, filterSubjects: [`cmd.registry.${aggregate}.>`] },
  log: {
    info: () => undefined,
    warn: (message, fields) => console.error(message, fields),
    error: (message, fields) => console.error(message, fields),
  },
});
await lane.start();
process.send('ready');
process.on('message', word => {
  if (word === 'memory') {
    globalThis.gc?.();
    process.send!({ rssMb: rssMb(), heapMb: heapMb() });
    return;
  }
  void lane
    .stop()
    .then(() => bus.close())
    .then(() => process.send!({ rssMb: rssMb() }, () => process.disconnect()));
});
