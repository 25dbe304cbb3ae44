import { join } from 'node:path';
import type { Bus } from '@astro/jetstream/bus';
import { lastPositionOf } from '@astro/jetstream/event-reader';
import { silent } from '@astro/jetstream/log';
import { waitForPosition } from '@astro/postgres/checkpoints';
import { openDatabase } from '@astro/postgres/database';
import { LedgerEntry, ledger as statement } from '@astro/read-models/billing/ledger';
import { ProjectionLane } from '@astro/runtime/projection-lane';
import type { Benchmark, Progress } from './benchmark.js';
import { startBusServer } from './bus-server.js';
import { startDatabaseServer } from './database-server.js';
import { startProgram, type Instance } from './instance.js';
import { rounded, rssMb } from './measure.js';
import { batch10kSeconds } from './ledger/batch.js';
import { plainPostgresPerSecond } from './ledger/plain-postgres.js';
import { checkedSums, spendable, Tenants, times } from './ledger/transfers.js';

const WARM_UP = 5_000;
const TRANSFERS = 40_000;
const HOT_TRANSFERS = 20_000;
const TIME_LIMIT_MS = 300_000;

/** Until the last of them can be spent by who received it. */
async function transfersPerSecond(bus: Bus, instance: Instance, progress: Progress) {
  const tenants = new Tenants(bus);
  await tenants.credit();
  await times(WARM_UP, index => tenants.give(index));
  await spendable(instance, WARM_UP);
  const startedMs = performance.now();
  await times(TRANSFERS, index => tenants.give(index));
  await spendable(instance, WARM_UP + TRANSFERS);
  const rate = (TRANSFERS * 1_000) / (performance.now() - startedMs);
  progress(`${rounded(rate)} transfers/s over 1,000 accounts`);
  const hotStartedMs = performance.now();
  await times(HOT_TRANSFERS, index => tenants.give(index, 1));
  const hot = (HOT_TRANSFERS * 1_000) / (performance.now() - hotStartedMs);
  await spendable(instance, WARM_UP + TRANSFERS + HOT_TRANSFERS);
  progress(`${rounded(hot)} transfers/s of one account`);
  return { transfersPerSecond: rounded(rate), hotAccountPerSecond: rounded(hot) };
}

/** Postings a second of the lane that the service runs, from nothing to the end of the stream. */
async function postingsPerSecond(bus: Bus, url: string, postings: number): Promise<number> {
  const options = { url, schema: 'billing', entities: [LedgerEntry], projections: [statement] };
  const orm = await openDatabase(options);
  const last = await lastPositionOf(bus, statement.reads);
  const lane = new ProjectionLane({
    bus,
    orm,
    projection: statement,
    url,
    entities: [LedgerEntry],
    log: silent,
  });
  const startedMs = performance.now();
  await lane.start();
  if (!(await waitForPosition(orm.em.fork(), statement.name, last, TIME_LIMIT_MS)))
    throw new Error('not in time');
  const seconds = (performance.now() - startedMs) / 1_000;
  const [row] = await orm.em.fork().execute<{ count: string }[]>('select count(*) from billing.ledger');
  if (Number(row!.count) !== postings) throw new Error(`${row!.count} entries came of ${postings} postings`);
  await lane.stop();
  await orm.close();
  return postings / seconds;
}

export const ledger: Benchmark = {
  measures: 'transfers through commands and events, and their statement, beside plain PostgreSQL',
  async run(folder, progress) {
    const nats = await startBusServer(join(folder, 'nats'), true);
    const database = await startDatabaseServer(join(folder, 'postgres'), ['billing']);
    try {
      const url = database.urlOf('billing');
      const plain = await plainPostgresPerSecond(url);
      progress(`${rounded(plain)} transfers/s in plain PostgreSQL`);
      const instance = await startProgram('./ledger-instance.js', nats.server.url);
      const rates = await transfersPerSecond(nats.bus, instance, progress);
      await instance.stop();
      const { postings } = await checkedSums(nats.bus);
      const posted = await postingsPerSecond(nats.bus, url, postings);
      return {
        ...rates,
        postingsPerSecond: rounded(posted),
        plainPostgresPerSecond: rounded(plain),
        ratio: rounded(rates.transfersPerSecond / plain, 2),
        batch10kSeconds: batch10kSeconds(progress),
        rssMb: rssMb(),
      };
    } finally {
      await nats.stop();
      await database.stop();
    }
  },
};
