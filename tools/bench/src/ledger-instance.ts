// The one service instance of the benchmark `ledger`: the commands of billing, and what makes transfers spendable.
import { account } from '@astro/billing/account/account';
import { receiveTransfers } from '@astro/billing/receive-transfers.reactor';
import { AggregateStore } from '@astro/jetstream/aggregate-store';
import { Bus } from '@astro/jetstream/bus';
import { CommandBus } from '@astro/jetstream/command-bus';
import { commandUnits } from '@astro/jetstream/command-lane';
import { EventStore } from '@astro/jetstream/event-store';
import { gatheringUnit } from '@astro/jetstream/gathering-lane';
import { SharedWork } from '@astro/jetstream/shared-work';
import { Snapshots } from '@astro/jetstream/snapshots';
import { log, serve, tell } from './service-instance.js';

const [servers] = process.argv.slice(2);
if (!servers || !process.send) throw new Error('this is started by the benchmark "ledger"');

const bus = await Bus.connect({ servers, name: 'bench-ledger' });
const options = { snapshots: new Snapshots(bus, log) };
const accounts = new AggregateStore(new EventStore(bus), 'billing.account', account, options);
const work = new SharedWork(bus, 'billing', log);
for (const unit of commandUnits(bus, { context: 'billing', aggregates: { account: accounts }, log }))
  work.add(unit);
const receiving = gatheringUnit(bus, receiveTransfers, new CommandBus(bus, 'bench-ledger'), log);
work.add(receiving);

await serve(bus, work, {
  received: () => tell(work.report().units.find(({ name }) => name === receiving.name)?.handled ?? 0),
});
