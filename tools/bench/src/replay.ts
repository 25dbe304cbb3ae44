import { join } from 'node:path';
import { openDatabase } from '@astro/postgres/database';
import { Job, jobs } from '@astro/read-models/scheduling/jobs';
import { serveNewGeneration } from '@astro/runtime/new-generation';
import type { Benchmark } from './benchmark.js';
import { startBusServer } from './bus-server.js';
import { startDatabaseServer } from './database-server.js';
import { appendHistories, jobHistory } from './job-history.js';
import { rounded, rssMb } from './measure.js';

const EVENTS = 1_000_000;

/** Whole lives of jobs, hundreds of them at a time. Filling the stream takes its time and is not measured. */
export const replay: Benchmark = {
  measures: 'a rebuild of a read model from a million events, switch included',
  async run(folder, progress) {
    const nats = await startBusServer(join(folder, 'nats'), false);
    const database = await startDatabaseServer(join(folder, 'postgres'), ['scheduling']);
    try {
      const jobCount = await appendHistories(nats.bus, EVENTS, jobHistory, progress);
      const url = database.urlOf('scheduling');
      const live = await openDatabase({ url, schema: 'scheduling', entities: [Job], projections: [jobs] });
      let events = 0;
      const onProgress = (done: { readonly events: number }) => void (events = Math.max(events, done.events));
      const startedMs = performance.now();
      await serveNewGeneration({ bus: nats.bus, live, url, projection: jobs, entities: [Job], onProgress });
      const seconds = (performance.now() - startedMs) / 1_000;
      const [row] = await live.em.fork().execute<{ count: string }[]>('select count(*) from scheduling.jobs');
      await live.close();
      if (Number(row!.count) !== jobCount) throw new Error(`${row!.count} rows came of ${EVENTS} events`);
      return {
        events,
        rows: Number(row!.count),
        seconds: rounded(seconds, 1),
        eventsPerSecond: rounded(events / seconds),
        rssMb: rssMb(),
      };
    } finally {
      await nats.stop();
      await database.stop();
    }
  },
};
