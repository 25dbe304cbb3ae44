import { join } from 'node:path';
import { Archive, type ArchivedEvent } from '@astro/archive/archive';
import { Archiver } from '@astro/archive/archiver';
import { restore } from '@astro/archive/restore';
import { verify } from '@astro/archive/verify';
import { silent } from '@astro/jetstream/log';
import { eventStreamOf } from '@astro/jetstream/subjects';
import { Client } from 'pg';
import type { Benchmark } from './benchmark.js';
import { startBusServer } from './bus-server.js';
import { startDatabaseServer } from './database-server.js';
import { appendHistories, jobHistory } from './job-history.js';
import { rounded, rssMb } from './measure.js';

const EVENTS = 50_000;
const CONTEXT = 'scheduling';
const STREAM = eventStreamOf(CONTEXT);
const POLL_MS = 20;
/** As many as the archiver takes at most in one transaction. */
const ROWS_PER_INSERT = 1_000;

/** Commits of both wait for the disk. The raw rows are hashed already, and go into a table without a trigger. */
export const archive: Benchmark = {
  measures: 'archiving, verifying and restoring a stream, beside raw inserts of the same rows',
  async run(folder, progress) {
    const nats = await startBusServer(join(folder, 'nats'), false);
    const other = await startBusServer(join(folder, 'other-nats'), false);
    const database = await startDatabaseServer(join(folder, 'postgres'), [CONTEXT]);
    const url = database.urlOf(CONTEXT);
    const archived = new Archive({ url, schema: CONTEXT });
    try {
      await appendHistories(nats.bus, EVENTS, jobHistory, progress);
      const archivedPerSecond = await perSecond(async () => {
        const archiver = new Archiver(nats.bus, new Archive({ url, schema: CONTEXT }), CONTEXT, silent);
        await archived.prepare();
        await archiver.start();
        while ((await archived.head(STREAM)).sequence < EVENTS)
          await new Promise(resolve => setTimeout(resolve, POLL_MS));
        await archiver.stop();
      });
      const rawRowsPerSecond = await insertedPerSecond(url, await allOf(archived));
      const verifiedPerSecond = await perSecond(async () => {
        const { findings } = await verify(nats.bus, archived, STREAM);
        if (findings.length > 0) throw new Error(findings[0]!.says);
      });
      const restoredPerSecond = await perSecond(async () => {
        const { messages } = await restore(other.bus, archived, STREAM);
        if (messages !== EVENTS) throw new Error(`${messages} of ${EVENTS} events were restored`);
      });
      return {
        archivedPerSecond,
        rawRowsPerSecond,
        ratio: rounded(archivedPerSecond / rawRowsPerSecond, 2),
        verifiedPerSecond,
        restoredPerSecond,
        rssMb: rssMb(),
      };
    } finally {
      await archived.close();
      await Promise.all([nats.stop(), other.stop()]);
      await database.stop();
    }
  },
};

/** Of the benchmark's events. */
async function perSecond(work: () => Promise<void>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return rounded((EVENTS * 1_000) / (performance.now() - startedMs));
}

async function allOf(archived: Archive): Promise<readonly ArchivedEvent[]> {
  const events: ArchivedEvent[] = [];
  while (events.length < EVENTS) events.push(...(await archived.read(STREAM, events.length)));
  return events;
}

/** The driver's own arrays. */
async function insertedPerSecond(url: string, events: readonly ArchivedEvent[]): Promise<number> {
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query('create table scheduling.raw_archive (like scheduling.archive_events including all)');
  const insert = `insert into scheduling.raw_archive
    select $1, * from unnest($2::bigint[], $3::text[], $4::bytea[], $5::bytea[], $6::bigint[], $7::bytea[])`;
  const rate = await perSecond(async () => {
    for (let from = 0; from < events.length; from += ROWS_PER_INSERT) {
      const part = events.slice(from, from + ROWS_PER_INSERT);
      await client.query(insert, [
        STREAM,
        part.map(event => event.sequence),
        part.map(event => event.subject),
        part.map(event => event.headers),
        part.map(event => event.payload),
        part.map(event => event.recordedAtNanos),
        part.map(event => event.hash),
      ]);
    }
  });
  await client.end();
  return rate;
}
