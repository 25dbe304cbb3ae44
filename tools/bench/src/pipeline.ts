import { join } from 'node:path';
import { newId } from '@astro/event-sourcing/ids';
import type { Directed } from '@astro/event-sourcing/reactor';
import type { Bus } from '@astro/jetstream/bus';
import { CommandBus } from '@astro/jetstream/command-bus';
import type { Benchmark, Progress } from './benchmark.js';
import { startBusServer } from './bus-server.js';
import { startInstance } from './instance.js';
import { durationsMs, latenciesAt, median, percentile, ratePerSecond, rounded, rssMb } from './measure.js';
import { emmettPerSecond } from './emmett.js';

const AGGREGATES = 1_000;
const CALLERS = [256, 512, 1_024];
const ROUND = { warmUpMs: 1_000, measureMs: 4_000 };
const STEADY_MS = 6_000;
const LONE_TIMES = 200;
const TIMEOUT_MS = 10_000;

const metadata = { correlationId: newId('req'), causationId: newId('req'), actor: 'service:bench' };

/** Half of the aggregates belong to either instance: one serves tenants, the other one operators. */
const commands: readonly Directed[] = Array.from({ length: AGGREGATES }, (_, index) => {
  const name = `guest ${index}`;
  if (index % 2 === 0) {
    const id = newId('tenant');
    return { to: { type: 'registry.tenant', id }, type: 'RegisterTenant', data: { tenantId: id, name } };
  }
  const id = newId('operator');
  return { to: { type: 'registry.operator', id }, type: 'RegisterOperator', data: { operatorId: id, name } };
});

/** From publishing the command to hearing that its event is on the disk. */
function requester(bus: Bus): () => Promise<void> {
  const commandBus = new CommandBus(bus, `bench-${process.pid}`);
  let count = 0;
  return async () => {
    const command = commands[count++ % commands.length]!;
    const outcome = await commandBus.request(command, { id: newId('cmd'), metadata, timeoutMs: TIMEOUT_MS });
    if (!outcome?.accepted || !outcome.changed) throw new Error('a command was not carried out');
  };
}

async function ours(folder: string, progress: Progress) {
  const { bus, server, stop } = await startBusServer(join(folder, 'bus'), true);
  try {
    const instances = await Promise.all([
      startInstance(server.url, 'tenant'),
      startInstance(server.url, 'operator'),
    ]);
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
    return { ...figures, emmettPerSecond: rounded(rival), rssMb: Math.max(rssMb(), figures.instanceRssMb) };
  },
};
