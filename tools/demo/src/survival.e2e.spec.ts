import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { encodeShard, readDigits } from '@astro/digits/data';
import { readProgram } from '@astro/digits/programs';
import { initialWeights } from '@astro/digits/weights';
import { Platform } from '@astro/devstack/platform';
import { repositoryRoot } from '@astro/devstack/repository';
import type { Bus } from '@astro/jetstream/bus';
import { agentCrashPoints } from '@astro/jetstream/crash-point';
import { replay } from '@astro/jetstream/replay';
import type { AccountEvent } from '@astro/messages/billing';
import type { Grant, PoolEvent } from '@astro/messages/scheduling';
import { auditEvents } from './audit.js';
import { Client, type JobRequest, type TaskProgress } from './client.js';
import { untilSettled } from './main-job.js';
import { openHonestMarket } from './market.js';

let stateDir: string;
let platform: Platform;
let client: Client;
let bus: Bus;
let job: JobRequest;
let tenantKey: string;

beforeAll(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'astro-survival-'));
  platform = await Platform.start({ stateDir, env: { registry: { HEARTBEAT_TIMEOUT_MS: '6000' } } });
  ({ tenantKey } = await openHonestMarket(platform));
  client = new Client(platform.gatewayUrl, tenantKey);
  bus = await platform.connectBus('spec');
  job = await trainingJob();
}, 120_000);

afterAll(async () => {
  await platform?.stop();
  await rm(stateDir, { recursive: true, force: true });
}, 60_000);

/** Six tasks of about a second each: long enough to be struck in the middle. */
async function trainingJob(): Promise<JobRequest> {
  const images = (await readDigits()).slice(0, 1_200);
  const shard = await client.putContent(encodeShard(images, { labels: true }).bytes);
  const weights = await client.putContent(initialWeights(32, 'survival'));
  const inputs = [
    { name: 'weights', cid: weights },
    { name: 'shard', cid: shard },
  ];
  return {
    name: 'a job that is struck',
    program: {
      cid: await client.putContent(await readProgram('train')),
      timeLimitMs: 20_000,
      memoryLimitMib: 64,
      outputLimitBytes: 1 << 20,
    },
    requirements: {
      deviceKind: 'cpu',
      cpuMillis: 1_000,
      memoryMib: 128,
      maxPricePerSecondAtto: String(10n ** 16n),
    },
    tasks: [1, 2, 3, 4, 5, 6].map(seed => ({ inputs, args: ['10', '0.02', String(seed)] })),
  };
}

/** Submits the job, strikes once its tasks are being placed, and waits for its end. */
async function endingWhen(strike: () => void | Promise<void>, key: string): Promise<string> {
  const { id } = await client.submit(job, key);
  let last = '';
  for await (const { type } of client.events(id)) {
    if (type === 'JobQueued') setTimeout(() => void strike(), 700);
    last = type;
  }
  return last;
}

test.each(['gateway', 'registry', 'scheduling', 'verification', 'billing'] as const)(
  'a job succeeds although %s is killed in the middle of it',
  async victim => {
    const before = platform.pid(victim);
    expect(await endingWhen(() => platform.kill(victim, 'SIGKILL'), `kill-${victim}`)).toBe('JobSucceeded');
    await platform.untilReady(victim);
    expect(platform.pid(victim)).not.toBe(before);
    await untilSettled(client);
  },
  120_000,
);

test('a job succeeds although an agent is killed in the middle of it and started again', async () => {
  expect(await endingWhen(() => platform.kill('dune', 'SIGKILL'), 'kill-dune')).toBe('JobSucceeded');
  await untilSettled(client);
}, 120_000);

test('a job succeeds on other nodes although an agent vanishes for good', async () => {
  expect(await endingWhen(() => platform.killAgent('ember'), 'lose-ember')).toBe('JobSucceeded');
  await untilSettled(client);
}, 120_000);

async function stepsJob(steps: number, regions: readonly string[]): Promise<JobRequest> {
  const file = join(repositoryRoot, 'examples/steps/build/steps.wasm');
  const cid = await client.putContent(new Uint8Array(await readFile(file)));
  return {
    name: 'steps',
    program: { cid, timeLimitMs: 120_000, memoryLimitMib: 4, outputLimitBytes: 100 },
    requirements: { ...job.requirements, regions },
    quorum: 1,
    tasks: [{ inputs: [], args: [String(steps), '20'] }],
    checkpoints: { everyMs: 1_000 },
  };
}

async function eventsOf(context: 'scheduling' | 'billing', jobId: string) {
  const found: (PoolEvent | AccountEvent)[] = [];
  for await (const { event } of replay(bus, context))
    if ((event.data as { readonly jobId?: string }).jobId === jobId) found.push(event as PoolEvent);
  return found;
}

/** How often the task ended at a node, and how often it was charged. */
async function endsOf(jobId: string): Promise<readonly [completed: number, charged: number]> {
  const count = (events: readonly { readonly type: string }[], type: string) =>
    events.filter(event => event.type === type).length;
  const [pool, accounts] = [await eventsOf('scheduling', jobId), await eventsOf('billing', jobId)];
  return [count(pool, 'LeaseCompleted'), count(accounts, 'TaskCharged')];
}

test.each(agentCrashPoints)(
  'a task ends once and is charged once although its agent dies in the middle of it: %s',
  async point => {
    await platform.restart('dune', { ASTRO_CRASH_AT: point });
    const before = platform.pid('dune');
    const { id } = await client.submit(await stepsJob(5, ['me-central']), `die-${point}`);
    for await (const event of client.events(id)) void event;
    expect(await client.ended(id)).toMatchObject({ status: 'succeeded' });
    expect(platform.pid('dune')).not.toBe(before);
    await untilSettled(client);
    expect(await endsOf(id)).toEqual([1, 1]);
  },
  120_000,
);

test('a task is evicted where its node runs short, and goes on from what was kept once there is room', async () => {
  const file = join(stateDir, 'short.env');
  await writeFile(file, 'HOST_MEMORY_LEFT_MIB=1\n');
  for (const agent of ['dune', 'cascade'])
    await platform.restart(agent, { AGENT_CONFIG: file, PRESSURE_LOOK_MS: '200' });
  const { id } = await client.submit(await stepsJob(200, ['me-central', 'us-west']), 'evicted');
  while (!(await client.job(id)).tasks[0]?.checkpoint) await sleep(50);
  const [first] = await grantsOf(id);
  // More than the machine has: both run short, and only the one that works has something to end.
  await writeFile(file, `HOST_MEMORY_LEFT_MIB=${16 * 1_024 * 1_024}\n`);
  const failed = async () => (await eventsOf('scheduling', id)).find(({ type }) => type === 'LeaseFailed');
  while (!(await failed())) await sleep(50);
  expect((await failed())?.data).toMatchObject({
    leaseId: first!.leaseId,
    reason: expect.stringMatching(/^the node runs short: \d+ MiB of memory left, 16777216 needed$/),
  });
  expect(await grantsOf(id)).toHaveLength(1);
  await writeFile(file, 'HOST_MEMORY_LEFT_MIB=1\n');
  for await (const event of client.events(id)) void event;
  const { status, tasks } = await client.ended(id);
  expect(status).toBe('succeeded');
  const text = new TextDecoder().decode(await client.getContent(tasks[0]!.outputs[0]!.cid));
  expect(Number(/from step (\d+)\n$/.exec(text)?.[1])).toBeGreaterThan(0);
  await untilSettled(client);
  expect(await endsOf(id)).toEqual([1, 1]);
}, 120_000);

test('a task goes on at another node from what was kept, although its own vanishes for good', async () => {
  const regions = ['me-central', 'us-west'];
  const { id } = await client.submit(await stepsJob(150, regions), 'moved');
  while (!(await client.job(id)).tasks[0]?.checkpoint) await sleep(50);
  const [first] = await grantsOf(id);
  const told = followProgress(id);
  const progressNow = async () => (await client.job(id)).tasks[0]?.progress;
  while (!(await progressNow())) await sleep(50);
  expect(await progressNow()).toMatchObject({ leaseId: first!.leaseId });
  const { items } = await client.json<{ items: readonly { id: string; region: string }[] }>('/v1/nodes');
  const { region } = items.find(node => node.id === first!.nodeId)!;
  await platform.killAgent(region === 'us-west' ? 'cascade' : 'dune');
  for await (const event of client.events(id)) void event;
  const { status, tasks } = await client.ended(id);
  expect(status).toBe('succeeded');
  const text = new TextDecoder().decode(await client.getContent(tasks[0]!.outputs[0]!.cid));
  const last = (await grantsOf(id)).at(-1)!;
  expect(last.nodeId).not.toBe(first!.nodeId);
  const from = Number(/from step (\d+)\n$/.exec(text)?.[1]);
  expect(from).toBeGreaterThan(0);
  expect(last.checkpoint).toBeDefined();
  await untilSettled(client);
  expect(await endsOf(id)).toEqual([1, 1]);
  const seen = await told;
  expect(seen.length).toBeGreaterThan(1);
  const runs = new Set((await grantsOf(id)).map(({ leaseId }) => leaseId));
  expect(seen.filter(({ leaseId }) => !runs.has(leaseId))).toEqual([]);
  for (const { fraction, message } of seen) expect(message).toBe(`step ${Math.round(fraction * 150)}`);
}, 120_000);

/** What the stream of a job says of how far its task is. */
async function followProgress(jobId: string): Promise<readonly TaskProgress[]> {
  const seen: TaskProgress[] = [];
  for await (const { type, data } of client.events(jobId))
    if (type === 'TaskProgressed') seen.push(data as unknown as TaskProgress);
  return seen;
}

async function grantsOf(jobId: string): Promise<readonly Grant[]> {
  const grants: Grant[] = [];
  for await (const { event } of replay(bus, 'scheduling')) {
    const { type, data } = event as PoolEvent;
    if (type === 'LeasesGranted') grants.push(...data.grants.filter(grant => grant.jobId === jobId));
  }
  return grants;
}

test('what a program writes is read by its tenant, and by nobody else', async () => {
  const { apiKey } = await platform.administration().registerTenant('a stranger');
  const stranger = new Client(platform.gatewayUrl, apiKey);
  const plain = await stepsJob(3, ['eu-south']);
  const { id } = await client.submit({ ...plain, tasks: [{ inputs: [], args: ['three'] }] }, 'fails');
  for await (const event of client.events(id)) void event;
  const { tasks } = await client.ended(id);
  const path = `/v1/jobs/${id}/tasks/${tasks[0]!.id}/logs`;
  const said = 'the arguments must be the number of steps and the length of each';
  for (;;) {
    const { items } = await client.json<{ items: readonly LogEntry[] }>(path);
    if (items.length === 0) {
      await sleep(50);
      continue;
    }
    expect(items.flatMap(({ lines }) => lines)).toEqual([{ source: 'stderr', text: said }]);
    break;
  }
  await expect(stranger.json(path)).rejects.toMatchObject({ status: 404 });
  const followed = await followLogs(path);
  const [, position] = /^id: (\d+)\nevent: Log\ndata: (.+)$/m.exec(followed) ?? [];
  expect(followed).toContain(`"lines":[{"source":"stderr","text":"${said}"}]`);
  expect(await followLogs(path, { 'last-event-id': position! })).not.toContain('event: Log');
}, 60_000);

/** All that the stream of a log has, which ends a moment after its task. */
async function followLogs(path: string, headers: Record<string, string> = {}): Promise<string> {
  const answer = await fetch(`${platform.gatewayUrl}${path}`, {
    headers: { authorization: `Bearer ${tenantKey}`, accept: 'text/event-stream', ...headers },
  });
  expect(answer.headers.get('content-type')).toContain('text/event-stream');
  return answer.text();
}

type LogEntry = { readonly lines: readonly { readonly source: string; readonly text: string }[] };

test('afterwards every job has ended once and the ledger sums to zero', async () => {
  const audit = await auditEvents(bus);
  expect(audit.jobs).toBe(14);
  // One of them was given arguments that its program does not know.
  expect(audit.succeeded).toBe(audit.tasks - 1);
  expect(audit.jobsNotEndedOnce).toEqual([]);
  expect(audit.unbalanced).toEqual([]);
  expect(audit.ledgerSumAtto).toBe(0n);
}, 30_000);
