import { join } from 'node:path';
import type { Bus } from '@astro/jetstream/bus';
import { lastPositionOf } from '@astro/jetstream/event-reader';
import { silent } from '@astro/jetstream/log';
import { waitForPosition } from '@astro/postgres/checkpoints';
import { openDatabase } from '@astro/postgres/database';
import { Job, jobs } from '@astro/read-models/scheduling/jobs';
import { ProjectionLane } from '@astro/runtime/projection-lane';
import { Client } from 'pg';
import type { Benchmark } from './benchmark.js';
import { startBusServer } from './bus-server.js';
import { startDatabaseServer } from './database-server.js';
import { appendHistories, jobHistory } from './job-history.js';
import { median, rounded, rssMb } from './measure.js';

const EVENTS = 60_000;
const ROUNDS = 3;
const TIME_LIMIT_MS = 300_000;
/** As many as the lane takes at most in one transaction. */
const ROWS_PER_INSERT = 1_000;

/** One row for each event, so that events and rows compare: each job is submitted, and nothing else happens to it. */
export const projection: Benchmark = {
  measures: 'a live projection from its stream into its table, beside raw inserts of the same rows',
  async run(folder, progress) {
    const nats = await startBusServer(join(folder, 'nats'), false);
    const database = await startDatabaseServer(join(folder, 'postgres'), ['scheduling']);
    try {
      await appendHistories(nats.bus, EVENTS, jobId => jobHistory(jobId).slice(0, 1), progress);
      const url = database.urlOf('scheduling');
      const rates = { ours: [] as number[], raw: [] as number[] };
      for (let round = 1; round <= ROUNDS; round++) {
        rates.ours.push(await projected(nats.bus, url));
        rates.raw.push(await inserted(url));
        progress(
          `round ${round}: ours ${rounded(rates.ours.at(-1)!)}/s, raw ${rounded(rates.raw.at(-1)!)}/s`,
        );
      }
      const [eventsPerSecond, rawRowsPerSecond] = [median(rates.ours), median(rates.raw)];
      return {
        eventsPerSecond: rounded(eventsPerSecond),
        rawRowsPerSecond: rounded(rawRowsPerSecond),
        ratio: rounded(eventsPerSecond / rawRowsPerSecond, 2),
        rssMb: rssMb(),
      };
    } finally {
      await nats.stop();
      await database.stop();
    }
  },
};

/** Events a second of the lane that a service runs, from nothing to the end of the stream. */
async function projected(bus: Bus, url: string): Promise<number> {
  const options = { url, schema: 'scheduling', entities: [Job], projections: [jobs] };
  const orm = await openDatabase(options);
  await orm.em.fork().execute('truncate scheduling.jobs, scheduling.checkpoints');
  const last = await lastPositionOf(bus, jobs.reads);
  const lane = new ProjectionLane({ bus, orm, projection: jobs, url, entities: [Job], log: silent });
  const startedMs = performance.now();
  await lane.start();
  if (!(await waitForPosition(orm.em.fork(), jobs.name, last, TIME_LIMIT_MS))) throw new Error('not in time');
  const seconds = (performance.now() - startedMs) / 1_000;
  const [row] = await orm.em.fork().execute<{ count: string }[]>('select count(*) from scheduling.jobs');
  if (Number(row!.count) !== EVENTS) throw new Error(`${row!.count} rows came of ${EVENTS} events`);
  await lane.stop();
  await orm.close();
  return EVENTS / seconds;
}

/** Rows a second of the same rows, read back, into a table of the same make, by arrays and nothing beside it. */
async function inserted(url: string): Promise<number> {
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query(
    'drop table if exists scheduling.raw; create table scheduling.raw (like scheduling.jobs including all)',
  );
  const { rows: columns } = await client.query<{ name: string; type: string }>(
    `select attname as name, format_type(atttypid, atttypmod) as type from pg_attribute
      where attrelid = 'scheduling.jobs'::regclass and attnum > 0 order by attnum`,
  );
  const texts = columns.map(({ name }) => `"${name}"::text`).join(', ');
  const { rows } = await client.query<(string | null)[]>({
    text: `select ${texts} from scheduling.jobs order by position`,
    rowMode: 'array',
  });
  const arrays = columns.map(({ type }, index) => `$${index + 1}::${type}[]`).join(', ');
  const insert = `insert into scheduling.raw select * from unnest(${arrays})`;
  const startedMs = performance.now();
  for (let from = 0; from < rows.length; from += ROWS_PER_INSERT) {
    const part = rows.slice(from, from + ROWS_PER_INSERT);
    await client.query(
      insert,
      columns.map((_, index) => part.map(row => row[index])),
    );
  }
  const seconds = (performance.now() - startedMs) / 1_000;
  await client.end();
  return rows.length / seconds;
}
