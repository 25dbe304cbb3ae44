import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Platform } from '@astro/devstack/platform';
import { auditEvents } from './audit.js';
import {
  endlessProgram,
  growingProgram,
  idleProgram,
  notAProgram,
  trappingProgram,
} from './broken-programs.js';
import { Client, type Job, type JobRequest } from './client.js';
import { untilSettled } from './main-job.js';
import { openHonestMarket } from './market.js';
import { openValidatedMarket } from './validated-market.fixture.js';

let stateDir: string;
let platform: Platform;
let client: Client;

beforeAll(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'astro-faults-'));
  const verification = {
    ...{ AUDIT_SAMPLE_PPM: '1000000', AUDIT_DRAW_AFTER_BLOCKS: '1', AUDIT_POLL_MS: '100' },
    AUDIT_COMMIT_WITHIN_MS: '3500',
  };
  const env = { scheduling: { PLACEMENT_PATIENCE_MS: '1000' }, verification };
  platform = await Platform.start({ stateDir, env });
  client = new Client(platform.gatewayUrl, (await openHonestMarket(platform)).tenantKey);
}, 120_000);

afterAll(async () => {
  await platform?.stop();
  await rm(stateDir, { recursive: true, force: true });
}, 60_000);

const request = (program: string, change: Partial<JobRequest['requirements']> = {}): JobRequest => ({
  name: 'a job that goes wrong',
  program: { cid: program, timeLimitMs: 1_000, memoryLimitMib: 4, outputLimitBytes: 1_024 },
  requirements: {
    deviceKind: 'cpu',
    cpuMillis: 500,
    memoryMib: 64,
    maxPricePerSecondAtto: String(10n ** 16n),
    ...change,
  },
  tasks: [{ inputs: [] }, { inputs: [] }],
});

async function runToItsEnd(job: JobRequest, title: string): Promise<Job> {
  const { id } = await client.submit(job, title.replaceAll(' ', '-'));
  for await (const event of client.events(id)) void event;
  await untilSettled(client);
  return client.ended(id);
}

const available = async () =>
  BigInt((await client.json<{ availableAtto: string }>('/v1/account')).availableAtto);

test.each([
  ['traps', trappingProgram, 'program_trapped'],
  ['loops for ever', endlessProgram, 'program_timed_out'],
  ['grows past its memory', growingProgram, 'program_out_of_memory'],
  ['is no WebAssembly', notAProgram, 'program_invalid'],
])(
  'a program that %s ends its job with that reason and costs nothing',
  async (what, bytes, reason) => {
    const before = await available();
    const job = await runToItsEnd(request(await client.putContent(bytes)), what);
    expect(job).toMatchObject({ status: 'failed', reason });
    expect(await available()).toBe(before);
  },
  60_000,
);

test.each([
  ['a price cap that nothing meets', { maxPricePerSecondAtto: '1' }, 'price_cap_unmet'],
  ['a region without nodes', { regions: ['aq-south'] }, 'no_eligible_node'],
  ['more than the client has', { maxPricePerSecondAtto: String(10n ** 24n) }, 'insufficient_funds'],
])(
  '%s ends the job with that reason and what was reserved comes back',
  async (what, change, reason) => {
    const before = await available();
    const job = await runToItsEnd(request(await client.putContent(idleProgram), change), what);
    expect(job).toMatchObject({ status: 'failed', reason });
    expect(await available()).toBe(before);
  },
  60_000,
);

test('a cancelled job stops, ends once, and what was reserved comes back', async () => {
  const slow = request(await client.putContent(endlessProgram));
  const { id } = await client.submit(
    { ...slow, program: { ...slow.program, timeLimitMs: 60_000 } },
    'cancelled',
  );
  const before = await available();
  const types: string[] = [];
  for await (const { type } of client.events(id)) {
    types.push(type);
    if (type === 'JobQueued') await client.cancel(id);
  }
  await untilSettled(client);
  expect(types).toEqual(['JobSubmitted', 'JobQueued', 'JobCancelled']);
  expect(await client.ended(id)).toMatchObject({ status: 'cancelled' });
  expect(await available()).toBeGreaterThan(before);
}, 60_000);

test('validators overturn a lie that was accepted; who lies to them, and who is silent, is named', async () => {
  const market = await openValidatedMarket(platform, client);
  const [first, second, lying] = market.validatorIds;
  const overturned = await market.auditOfLie();
  expect(overturned).toMatchObject({
    status: 'closed',
    verdict: { outcome: 'overturned', wrong: [lying], missing: [], policy: 'audit/1' },
  });
  expect(overturned.verdict!.correct.toSorted()).toEqual([first, second].toSorted());
  expect(overturned.verdict!.digest).not.toBe(overturned.claimedDigest);
  await market.silence();
  expect((await market.auditOfLie()).verdict).toMatchObject({
    ...{ outcome: 'overturned', digest: overturned.verdict!.digest, wrong: [], missing: [lying] },
  });
}, 90_000);

test('after all of it every job has ended once and the ledger sums to zero', async () => {
  const audit = await auditEvents(await platform.connectBus('audit'));
  expect(audit.jobs).toBe(10);
  expect(audit.jobsNotEndedOnce).toEqual([]);
  expect(audit.unbalanced).toEqual([]);
  expect(audit.ledgerSumAtto).toBe(0n);
}, 30_000);
