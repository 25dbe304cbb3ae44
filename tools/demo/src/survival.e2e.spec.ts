import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { encodeShard, readDigits } from '@astro/digits/data';
import { readProgram } from '@astro/digits/programs';
import { initialWeights } from '@astro/digits/weights';
import { Platform } from '@astro/devstack/platform';
import { auditEvents } from './audit.js';
import { Client, type JobRequest } from './client.js';
import { untilSettled } from './main-job.js';
import { openHonestMarket } from './market.js';

let stateDir: string;
let platform: Platform;
let client: Client;
let job: JobRequest;

beforeAll(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'astro-survival-'));
  platform = await Platform.start({ stateDir, env: { registry: { HEARTBEAT_TIMEOUT_MS: '6000' } } });
  client = new Client(platform.gatewayUrl, (await openHonestMarket(platform)).tenantKey);
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

test('afterwards every job has ended once and the ledger sums to zero', async () => {
  const audit = await auditEvents(await platform.connectBus('audit'));
  expect(audit.jobs).toBe(7);
  expect(audit.succeeded).toBe(audit.tasks);
  expect(audit.jobsNotEndedOnce).toEqual([]);
  expect(audit.unbalanced).toEqual([]);
  expect(audit.ledgerSumAtto).toBe(0n);
}, 30_000);
