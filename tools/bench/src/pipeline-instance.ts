// One of the service instances of the benchmarks `pipeline` and `memory`: its part of the commands, and nothing else.
import { AggregateStore } from '@astro/jetstream/aggregate-store';
import { Bus } from '@astro/jetstream/bus';
import { commandUnits } from '@astro/jetstream/command-lane';
import { EventStore } from '@astro/jetstream/event-store';
import { SharedWork } from '@astro/jetstream/shared-work';
import { operators, tenants } from './guest-book.js';
import { heapMb, rssMb } from './measure.js';

const [servers] = process.argv.slice(2);
if (!servers || !process.send) throw new Error('this is started by the benchmarks "pipeline" and "memory"');

const log = {
  info: () => undefined,
  warn: console.error,
  error: console.error,
};
const bus = await Bus.connect({ servers, name: `bench-${process.pid}` });
const events = new EventStore(bus);
const aggregates = {
  tenant: new AggregateStore(events, 'registry.tenant', tenants),
  operator: new AggregateStore(events, 'registry.operator', operators),
};
const work = new SharedWork(bus, 'registry', log);
for (const unit of commandUnits(bus, { context: 'registry', aggregates, log })) work.add(unit);

async function stop(): Promise<void> {
  await work.stop();
  await bus.close();
  process.send!({ rssMb: rssMb() }, () => process.disconnect());
}

/** What the benchmark asks for, by the word that it sends. */
const answers: Readonly<Record<string, () => unknown>> = {
  units: () => process.send!(work.report().units.filter(({ isHeld }) => isHeld).length),
  memory: () => {
    globalThis.gc?.();
    process.send!({ rssMb: rssMb(), heapMb: heapMb() });
  },
  stop: () => void stop(),
};
process.on('message', word => answers[String(word)]?.());
// A benchmark that failed leaves nobody to be told when to end.
process.once('disconnect', () => process.exit());
await work.start();
process.send('ready');
