import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '@astro/demo/client';
import { Platform } from '@astro/devstack/platform';
import type { Bus } from '@astro/jetstream/bus';
import pg from 'pg';
import type { Benchmark, Progress } from '../benchmark.js';
import { percentile, rounded } from '../measure.js';
import { firstTask, recorded } from './first-task.js';
import { Fleets } from './fleets.js';
import { heartbeatBytes, heartbeatLagsMs } from './heartbeat-lag.js';
import { readOptions, usage, type Options } from './options.js';
import { rssMbOf, rssMbOfProcess } from './server-memory.js';

const OPERATORS = 20;
const REGIONS = ['de-fra', 'us-east-1', 'fr-par', 'nl-ams', 'jp-tokyo'];
const ATTO_PER_ASTRO = 10n ** 18n;
const PROGRESS_EACH = 1_000;
/** The registry counts a node as gone after a minute of silence, and its tables follow. */
const SETTLE_ATTEMPTS_MAX = 240;
const SETTLE_MS = 500;

/** Nobody is limited here: one address speaks for the whole fleet. */
const env = { gateway: { RATE_LIMIT_PER_SECOND: '100000', RATE_LIMIT_BURST: '100000' } };
const services = ['registry', 'scheduling', 'billing', 'verification', 'gateway'] as const;

export const agents: Benchmark = {
  measures: 'a fleet of simulated nodes, each with its own key and connection, that come and go',
  usage,
  async run(folder, progress, words) {
    const options = readOptions(words);
    const { leaves: leafServers } = options;
    const stateDir = join(folder, 'platform');
    const platform = await Platform.start({ stateDir, services, env, leafServers });
    try {
      return await measure(platform, folder, options, progress);
    } finally {
      await platform.forget();
    }
  },
};

async function measure(platform: Platform, folder: string, options: Options, progress: Progress) {
  const bus = await platform.connectBus('bench');
  const administration = platform.administration();
  const tenant = await administration.registerTenant('Bench');
  await administration.credit(tenant.tenantId, 1_000n * ATTO_PER_ASTRO);
  const operators = await Promise.all(
    Array.from({ length: OPERATORS }, (_, index) => administration.registerOperator(`Operator ${index}`)),
  );
  const keys = { tenantKey: tenant.apiKey, operatorKey: operators[0]!.apiKey };
  const first = await firstTask(platform, bus, keys);
  progress(`a new node's first task began ${rounded(first.enrolToFirstTaskMs)} ms after it had enrolled`);
  const before = memoryOf(folder, platform);
  const enrollings = operators.map(({ apiKey: operatorKey }, index) => ({
    ...{ gatewayUrl: platform.gatewayUrl, operatorKey, region: REGIONS[index % REGIONS.length]! },
  }));
  const fleet = await Fleets.start(options.processes);
  try {
    const joiningMs = await timed(() =>
      fleet.join(
        options.nodes,
        enrollings,
        count => count % PROGRESS_EACH === 0 && progress(`${count} nodes have joined`),
      ),
    );
    const watched = await watch(bus, fleet, options);
    const { online, wronglyOffline } = await presence(platform, bus, fleet);
    progress(`${online} of ${fleet.present.length} nodes are online`);
    const tasksPerSecond = await work(platform, tenant.apiKey, fleet);
    const after = memoryOf(folder, platform);
    return {
      nodes: options.nodes,
      joinedPerSecond: rounded((options.nodes * 1_000) / joiningMs),
      heartbeatLagP99Ms: rounded(percentile(watched.lagsMs, 0.99)),
      heartbeatLagMaxMs: rounded(Math.max(...watched.lagsMs)),
      heartbeatsPerSecond: rounded(watched.heartbeatsPerSecond),
      heartbeatBytes: rounded(await heartbeatBytes(bus)),
      ...{ online, wronglyOffline, moved: fleet.nodes.filter(({ hasMoved }) => hasMoved).length },
      tasksPerSecond: rounded(tasksPerSecond),
      enrolToFirstTaskMs: rounded(first.enrolToFirstTaskMs),
      wasmOverheadMs: rounded(first.wasmOverheadMs, 1),
      wasmLeaseMs: rounded(first.wasmLeaseMs, 1),
      serverRssMb: after.nats,
      serverKibPerNode: rounded(((after.nats - before.nats) * 1_024) / options.nodes, 1),
      registryRssMb: after.registry,
      schedulingRssMb: after.scheduling,
      simulatorRssMb: fleet.rssMb,
    };
  } finally {
    await fleet.close();
  }
}

const memoryOf = (folder: string, platform: Platform) => ({
  nats: rssMbOf(['nats-server', folder]),
  registry: rssMbOfProcess(platform.pid('registry') ?? 0),
  scheduling: rssMbOfProcess(platform.pid('scheduling') ?? 0),
});

/** Lag and rate of the heartbeats while nodes come and go. */
async function watch(bus: Bus, fleet: Fleets, { churn, seconds }: Options) {
  const over = new AbortController();
  const lags = heartbeatLagsMs(bus, over.signal);
  const [from, fromMs] = [await stored(bus), performance.now()];
  await fleet.churn(churn, seconds);
  const heartbeatsPerSecond = (((await stored(bus)) - from) * 1_000) / (performance.now() - fromMs);
  over.abort();
  return { lagsMs: await lags, heartbeatsPerSecond };
}

const stored = async (bus: Bus): Promise<number> => (await bus.jsm.streams.info('TELEMETRY')).state.last_seq;

/** Who of those present is online by the registry's table, once it has had time to follow; and who was called gone. */
async function presence(platform: Platform, bus: Bus, fleet: Fleets) {
  const client = new pg.Client({ connectionString: platform.databaseUrlOf('registry') });
  await client.connect();
  try {
    const present = new Set(fleet.present.map(({ nodeId }) => nodeId));
    const query = `select node_id from registry.nodes where status = 'online' and node_id = any($1)`;
    const everybody = fleet.nodes.map(({ nodeId }) => nodeId);
    let online: readonly string[] = [];
    const agrees = () => online.length === present.size && online.every(nodeId => present.has(nodeId));
    for (let attempt = 0; attempt < SETTLE_ATTEMPTS_MAX && !agrees(); attempt++) {
      if (attempt > 0) await sleep(SETTLE_MS);
      const { rows } = await client.query<{ node_id: string }>(query, [everybody]);
      online = rows.map(({ node_id }) => node_id);
    }
    const stayed = new Set(fleet.nodes.filter(({ hasMoved }) => !hasMoved).map(({ nodeId }) => nodeId));
    const gone = await recorded(bus, 'EVT_REGISTRY', 'NodeWentOffline');
    return {
      online: online.filter(nodeId => present.has(nodeId)).length,
      wronglyOffline: gone.filter(({ subject }) => stayed.has(subject.split('.')[3]!)).length,
    };
  } finally {
    await client.end();
  }
}

/** As many tasks as a job may have, done by the fleet: from the submission to the job's end. */
async function work(platform: Platform, tenantKey: string, fleet: Fleets): Promise<number> {
  const client = new Client(platform.gatewayUrl, tenantKey);
  const cid = await client.putContent(new TextEncoder().encode('run by nobody'));
  const tasks = Math.min(1_000, fleet.present.length);
  const job = {
    name: 'a task for many nodes',
    program: { cid, timeLimitMs: 60_000, memoryLimitMib: 16, outputLimitBytes: 1_024 },
    requirements: {
      ...({ deviceKind: 'cpu', cpuMillis: 2_500, memoryMib: 64 } as const),
      maxPricePerSecondAtto: '1000000000000',
    },
    quorum: 1,
    tasks: Array.from({ length: tasks }, () => ({ inputs: [] })),
  };
  const ms = await timed(async () => {
    const { id } = await client.submit(job, 'work');
    for await (const _ of client.events(id));
    const { status, detail = '' } = await client.ended(id);
    if (status !== 'succeeded') throw new Error(`the job of the fleet ${status}: ${detail}`);
  });
  return (tasks * 1_000) / ms;
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await act();
  return performance.now() - startedMs;
}
