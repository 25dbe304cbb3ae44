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
import { rssMb } from './measure.js';

const [servers] = process.argv.slice(2);
if (!servers || !process.send) throw new Error('this is started by the benchmark "ledger"');

const log = {
  info: () => undefined,
  warn: console.error,
  error: console.error,
};
const bus = await Bus.connect({ servers, name: 'bench-ledger' });
const options = { snapshots: new Snapshots(bus, log) };
const accounts = new AggregateStore(new EventStore(bus), 'billing.account', account, options);
const work = new SharedWork(bus, 'billing', log);
for (const unit of commandUnits(bus, { context: 'billing', aggregates: { account: accounts }, log }))
  work.add(unit);
const receiving = gatheringUnit(bus, receiveTransfers, new CommandBus(bus, 'bench-ledger'), log);
work.add(receiving);

async function stop(): Promise<void> {
  await work.stop();
  await bus.close();
  process.send!({ rssMb: rssMb() }, () => process.disconnect());
}

/** What the benchmark asks for, by the word that it sends. */
const answers: Readonly<Record<string, () => unknown>> = {
  units: () => process.send!(work.report().units.filter(({ isHeld }) => isHeld).length),
  received: () =>
    process.send!(work.report().units.find(({ name }) => name === receiving.name)?.handled ?? 0),
  stop: () => void stop(),
};
process.on('message', word => answers[String(word)]?.());
// A benchmark that failed leaves nobody to be told when to end.
process.once('disconnect', () => process.exit());
await work.start();
process.send('ready');
