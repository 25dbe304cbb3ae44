import { join } from 'node:path';
import { newId } from '@astro/event-sourcing/ids';
import type { Bus } from '@astro/jetstream/bus';
import { CommandBus } from '@astro/jetstream/command-bus';
import { EventStore } from '@astro/jetstream/event-store';
import type { LeasesGranted, PoolCommand } from '@astro/messages/scheduling';
import type { Benchmark, Progress } from './benchmark.js';
import { startBusServer } from './bus-server.js';
import { startProgram } from './instance.js';
import { rounded, rssMb } from './measure.js';
import {
  plainDevice,
  plainInventory,
  plainJob,
  plainOffer,
  plainRequirements,
} from '@astro/messages/unconstrained';

const POOL = { type: 'scheduling.pool', id: 'main' } as const;
const TASKS = 100_000;
const TASKS_OF_JOB = 500;
const NODES = 1_000;
const REGIONS = ['de-fra', 'us-east-1', 'fr-par', 'nl-ams'];
const TIMEOUT_MS = 600_000;
const cid = 'bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy';

/** A synthetic fleet with room for exactly the tasks: nodes of many operators, prices and regions. */
const admissions: readonly PoolCommand[] = Array.from({ length: NODES }, (_, index) => ({
  type: 'AdmitNode',
  data: {
    poolId: POOL.id,
    offer: {
      nodeId: newId('node'),
      operatorId: `operator_${index % 97}`,
      region: REGIONS[index % REGIONS.length]!,
      pricePerSecondAtto: BigInt(1_000 + (index % 13)),
      inventory: {
        devices: [{ kind: 'cpu', vendor: 'AMD', model: 'EPYC 9354', memoryMib: 65_536, ...plainDevice }],
        cpuMillis: (TASKS / NODES) * 100,
        memoryMib: 65_536,
        diskMib: 100_000,
        operatingSystem: 'linux',
        architecture: 'x64',
        runtimes: ['wasm'],
        ...plainInventory,
      },
      ...plainOffer,
    },
  },
}));

/** Two hundred jobs of a few kinds, as many tasks in all as the pool may hold. */
const queueing: readonly PoolCommand[] = Array.from({ length: TASKS / TASKS_OF_JOB }, (_, index) => ({
  type: 'QueueTasks',
  data: {
    poolId: POOL.id,
    jobId: newId('job'),
    tenantId: `tenant_${index % 7}`,
    queuedAt: new Date(),
    spec: {
      name: `job ${index}`,
      program: { cid, timeLimitMs: 3_600_000, memoryLimitMib: 64, outputLimitBytes: 1_048_576 },
      requirements: {
        ...plainRequirements,
        deviceKind: 'cpu',
        cpuMillis: 100,
        memoryMib: 64 + 8 * (index % 5),
        maxPricePerSecondAtto: 1_000_000n,
      },
      tasks: Array.from({ length: TASKS_OF_JOB }, () => ({
        taskId: newId('task'),
        inputs: [{ name: 'shard.bin', cid }],
        args: [],
      })),
      quorum: 1,
      ...plainJob,
    },
  },
}));

async function ours(folder: string, progress: Progress) {
  const { bus, server, stop } = await startBusServer(join(folder, 'bus'), true);
  try {
    const instance = await startProgram('./placing-instance.js', server.url, POOL.id);
    const queuedMs = await timed(() => sendAll(bus, queueing));
    progress(`${TASKS} tasks are queued after ${rounded(queuedMs)} ms`);
    const placed = allPlaced(bus);
    const placedMs = await timed(() => Promise.all([sendAll(bus, admissions), placed]));
    progress(`they are placed after ${rounded(placedMs)} ms, in ${(await placed).events} events`);
    const memory = await instance.stop();
    return {
      tasks: TASKS,
      nodes: NODES,
      queuedPerSecond: rounded((TASKS * 1_000) / queuedMs),
      placedPerSecond: rounded((TASKS * 1_000) / placedMs),
      grantEvents: (await placed).events,
      rssMb: Math.max(rssMb(), memory.rssMb),
    };
  } finally {
    await stop();
  }
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await act();
  return performance.now() - startedMs;
}

/** Resolves when every command has been decided and what follows from it is on the disk. */
async function sendAll(bus: Bus, commands: readonly PoolCommand[]): Promise<void> {
  const commandBus = new CommandBus(bus, `bench-${newId('req')}`);
  const metadata = { correlationId: newId('req'), causationId: newId('req'), actor: 'service:bench' };
  await Promise.all(
    commands.map(async command => {
      const id = newId('cmd');
      const outcome = await commandBus.request(
        { to: POOL, ...command },
        { id, metadata, timeoutMs: TIMEOUT_MS },
      );
      if (!outcome?.accepted || !outcome.changed) throw new Error(`a ${command.type} was not carried out`);
    }),
  );
}

/** Reads the pool's events until each task has its lease. */
async function allPlaced(bus: Bus): Promise<{ readonly events: number }> {
  const stopping = new AbortController();
  const placed = new Set<string>();
  let events = 0;
  for await (const { event } of new EventStore(bus).follow(POOL, {
    afterPosition: 0,
    signal: stopping.signal,
  })) {
    if (event.type !== 'LeasesGranted') continue;
    events += 1;
    for (const { taskId } of (event.data as LeasesGranted).grants) placed.add(taskId);
    if (placed.size === TASKS) stopping.abort();
  }
  return { events };
}

export const placing: Benchmark = {
  measures: `${TASKS} queued tasks placed by the scheduling service's loop, each grant on the disk`,
  run: ours,
};
