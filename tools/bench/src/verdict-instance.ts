// The one service instance of the benchmark `verification`: results become votes, and votes become verdicts.
import { AggregateStore } from '@astro/jetstream/aggregate-store';
import { Bus } from '@astro/jetstream/bus';
import { CommandBus } from '@astro/jetstream/command-bus';
import { commandUnits } from '@astro/jetstream/command-lane';
import { EventStore } from '@astro/jetstream/event-store';
import { reactorUnit } from '@astro/jetstream/reactor-lane';
import { SharedWork } from '@astro/jetstream/shared-work';
import { recordResults } from '@astro/verification/record-results.reactor';
import { task } from '@astro/verification/task/task';
import { log, serve } from './service-instance.js';

const [servers] = process.argv.slice(2);
if (!servers || !process.send) throw new Error('this is started by the benchmark "verification"');

const bus = await Bus.connect({ servers, name: 'bench-verification' });
const tasks = new AggregateStore(new EventStore(bus), 'verification.task', task({ maxReplicas: 5 }));
const work = new SharedWork(bus, 'verification', log);
for (const unit of commandUnits(bus, { context: 'verification', aggregates: { task: tasks }, log }))
  work.add(unit);
work.add(
  reactorUnit(
    bus,
    recordResults(eventId => eventId),
    new CommandBus(bus, 'bench-verification'),
    log,
  ),
);
await serve(bus, work, {});
