import { join } from 'node:path';
import type { Benchmark, Progress } from './benchmark.js';
import { startBusServer } from './bus-server.js';
import { startTwoInstances } from './instance.js';
import { durationsMs, latenciesAt, median, percentile, ratePerSecond, rounded, rssMb } from './measure.js';
import { emmettPerSecond } from './emmett.js';
import { requester } from './requester.js';

const CALLERS = [256, 512, 1_024];
const ROUND = { warmUpMs: 1_000, measureMs: 4_000 };
const STEADY_MS = 6_000;
const LONE_TIMES = 200;

async function ours(folder: string, progress: Progress) {
  const { bus, server, stop } = await startBusServer(join(folder, 'bus'), true);
  try {
    const instances = await startTwoInstances(server.url);
    const request = requester(bus);
    const rates: number[] = [];
    for (const callers of CALLERS) {
      rates.push(await ratePerSecond(callers, ROUND, request));
      progress(`${callers} callers: ${rounded(rates.at(-1)!)} commands/s`);
    }
    const highest = Math.max(...rates);
    const steady = await latenciesAt(highest / 2, STEADY_MS, request);
    progress(`${steady.length} commands at half of the highest rate`);
    const loneMs = median(await durationsMs(LONE_TIMES, request));
    const memory = await Promise.all(instances.map(instance => instance.stop()));
    return {
      perSecond: rounded(highest),
      p50Ms: rounded(percentile(steady, 0.5), 1),
      p99Ms: rounded(percentile(steady, 0.99), 1),
      loneMs: rounded(loneMs, 2),
      instanceRssMb: Math.max(...memory.map(instance => instance.rssMb)),
    };
  } finally {
    await stop();
  }
}

export const pipeline: Benchmark = {
  measures: 'command to outcome through two service instances, beside Emmett on PostgreSQL',
  async run(folder, progress) {
    const figures = await ours(folder, progress);
    const rival = await emmettPerSecond(folder, progress);
    return {
      ...figures,
      emmettPerSecond: rival && rounded(rival),
      rssMb: Math.max(rssMb(), figures.instanceRssMb),
    };
  },
};
