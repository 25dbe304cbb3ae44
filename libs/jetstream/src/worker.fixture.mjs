// One of several processes that share the commands of the context `registry`: a service, and nothing else.
import { AggregateStore } from '@astro/jetstream/aggregate-store';
import { Bus } from '@astro/jetstream/bus';
import { commandUnits } from '@astro/jetstream/command-lane';
import { EventStore } from '@astro/jetstream/event-store';
import { SharedWork } from '@astro/jetstream/shared-work';

/** Every command is an event, so that the events tell which commands were decided, how often and in which order. */
const guestBook = {
  initialState: 0,
  decide: ({ data }) => ({ accepted: true, events: [{ type: 'TenantRegistered', data }] }),
  evolve: count => count + 1,
};

const [servers] = process.argv.slice(2);
const bus = await Bus.connect({ servers, name: `worker-${process.pid}` });
const aggregates = { tenant: new AggregateStore(new EventStore(bus), 'registry.tenant', guestBook) };
const say = (message, fields) => process.send?.({ says: `${message} ${JSON.stringify(fields ?? {})}` });
const log = { info: say, warn: say, error: say };
const work = new SharedWork(bus, 'spec-processes', log);
for (const unit of commandUnits(bus, { context: 'registry', aggregates, log })) work.add(unit);
await work.start();

const reporting = setInterval(() => process.send?.({ report: work.report() }), 100);
process.once('SIGTERM', () => {
  clearInterval(reporting);
  void work
    .stop()
    .then(() => bus.close())
    .then(() => process.send?.({ report: work.report() }, () => process.exit(0)));
});
