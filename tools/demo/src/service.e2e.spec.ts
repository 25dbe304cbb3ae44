import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { fund } from '@astro/devstack/funds';
import { Platform } from '@astro/devstack/platform';
import { repositoryRoot } from '@astro/devstack/repository';
import type { Bus } from '@astro/jetstream/bus';
import { DesiredStates } from '@astro/jetstream/desired-state';
import { EventStore } from '@astro/jetstream/event-store';
import type { PoolEvent } from '@astro/messages/scheduling';
import { auditEvents } from './audit.js';
import { Client, type Job } from './client.js';
import { endpointOf, serverRequest, startServerAgents, type Asking } from './server-job.fixture.js';

const PRICE_ATTO = 1_000n;
const BUDGET_ATTO = 10n ** 9n;
const BYTES_PER_MIB = 1024 * 1024;
const regions = { alpha: 'de-fra', beta: 'fr-par' } as const;
type AgentName = keyof typeof regions;

let stateDir: string;
let platform: Platform;
let bus: Bus;
let client: Client;
let apiKey: string;

type Service = {
  readonly replicasWanted: number;
  readonly replicasRunning: number;
  readonly replicas?: readonly { readonly nodeId: string; readonly health: string }[];
  readonly requests?: { readonly count: number; readonly requestBytes: number };
};
type ServiceRequest = {
  readonly replicasMin: number;
  readonly replicasMax: number;
  readonly runEveryMs: number;
  readonly targetBusyThousandths?: number;
  readonly coolDownMs?: number;
};
type ServiceJob = Job & { readonly service: Service; readonly chargedAtto: string };

beforeAll(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'astro-service-'));
  platform = await Platform.start({ stateDir, env: { registry: { HEARTBEAT_TIMEOUT_MS: '3000' } } });
  bus = await platform.connectBus('spec');
  const administration = platform.administration();
  const tenant = await administration.registerTenant('A tenant');
  await fund(platform, tenant, 10n * BUDGET_ATTO);
  apiKey = tenant.apiKey;
  client = new Client(platform.gatewayUrl, apiKey);
  for (const name of ['alpha', 'beta'] as const) {
    const { apiKey: operatorKey } = await administration.registerOperator(`Operator of ${name}`);
    const offer = { region: regions[name], pricePerSecondAtto: PRICE_ATTO, cpuMillis: 2_000, memoryMib: 512 };
    await platform.startAgent({ name, operatorKey, ...offer, heartbeatMs: 500 });
  }
}, 180_000);

afterAll(async () => {
  await platform?.stop();
  await rm(stateDir, { recursive: true, force: true });
}, 60_000);

/** Waits for something that is bound to happen; the test's own time limit ends a vain wait. */
async function eventually<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    await sleep(100);
  }
}

const post = async (path: string, body: object): Promise<ServiceJob> => {
  const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' };
  const answer = await fetch(`${platform.gatewayUrl}${path}`, {
    method: 'POST',
    headers,
    body: JSON.stringify(body),
  });
  const job = (await answer.json()) as ServiceJob;
  if (!answer.ok) throw new Error(JSON.stringify(job));
  return job;
};
const jobWhere = (id: string, isSo: (job: ServiceJob) => boolean) =>
  eventually(async () => {
    const job = (await client.job(id)) as ServiceJob;
    if (job.status === 'failed') throw new Error(`${job.reason}: ${job.detail}`);
    return isSo(job) ? job : undefined;
  });
const poolEvents = async () =>
  (await new EventStore(bus).load({ type: 'scheduling.pool', id: 'main' })).map(
    ({ event }) => event as PoolEvent,
  );
const grants = async () =>
  (await poolEvents()).flatMap(event => (event.type === 'LeasesGranted' ? event.data.grants : []));
const scalesOf = async (id: string) =>
  (await poolEvents()).flatMap(event =>
    event.type === 'ServiceScaled' && event.data.jobId === id ? [event.data] : [],
  );
const nothingReserved = () =>
  eventually(async () => {
    const { reservedAtto } = await client.json<{ reservedAtto: string }>('/v1/account');
    return reservedAtto === '0' ? true : undefined;
  });
type Balance = { readonly availableAtto: string; readonly reservedAtto: string };

/** A client of its own money, and its job of three tasks of which the money pays for one. */
async function submitShort(noticeMs: number) {
  const administration = platform.administration();
  const { tenantId, apiKey: ownKey } = await administration.registerTenant('A tenant of little money');
  await administration.credit(tenantId, MOST_OF_TASK_ATTO);
  const own = new Client(platform.gatewayUrl, ownKey);
  const balance = () => own.json<Balance>('/v1/balance');
  await eventually(async () => {
    // The gateway knows the key a moment later.
    const held = await balance().catch(() => undefined);
    return held?.availableAtto === `${MOST_OF_TASK_ATTO}` ? true : undefined;
  });
  const program = await readFile(join(repositoryRoot, 'examples/primes/build/primes.wasm'));
  const request = {
    name: 'primes, as far as the money goes',
    program: { cid: await own.putContent(program), ...limits },
    requirements: needs,
    quorum: 1,
    tasks: [1_000, 2_000, 3_000].map(below => ({ inputs: [], args: [`${below}`] })),
    funding: { mode: 'stepwise', noticeMs },
  } as const;
  const { id } = await own.submit(request, `short-of-money-${noticeMs}`);
  return { tenantId, own, balance, id };
}
type Short = Awaited<ReturnType<typeof submitShort>>;

async function eventsOf({ own, id }: Short): Promise<readonly string[]> {
  const types: string[] = [];
  for await (const { type } of own.events(id)) types.push(type);
  return types;
}
type FundedJob = ServiceJob & {
  readonly tasksSucceeded: number;
  readonly funding: { readonly shortage?: { readonly missingAtto: string; readonly stopsAt?: string } };
};

const nodeOf = async (name: AgentName) => {
  const { items } = await client.json<{ items: { id: string; region: string }[] }>('/v1/nodes');
  return items.find(({ region }) => region === regions[name])!.id;
};

const limits = { timeLimitMs: 10_000, memoryLimitMib: 16, outputLimitBytes: 1_000 } as const;
const needs = {
  deviceKind: 'cpu',
  cpuMillis: 1_000,
  memoryMib: 64,
  maxPricePerSecondAtto: `${PRICE_ATTO}`,
} as const;
const MOST_OF_TASK_ATTO = (BigInt(limits.timeLimitMs) * PRICE_ATTO) / 1_000n;
const steady: ServiceRequest = { replicasMin: 1, replicasMax: 1, runEveryMs: 200 };

/** A service that counts the primes below a number, again and again. */
async function submit(below = 1_000, service = steady): Promise<string> {
  const program = await readFile(join(repositoryRoot, 'examples/primes/build/primes.wasm'));
  await eventually(() => client.json('/v1/account'));
  const { id } = await post('/v1/jobs', {
    name: 'primes, for as long as it pays',
    program: { cid: await client.putContent(program), ...limits },
    requirements: needs,
    quorum: 1,
    tasks: [{ inputs: [], args: [`${below}`] }],
    service: { ...service, periodMs: 1_000, budgetAtto: `${BUDGET_ATTO}` },
  });
  return id;
}

/** The example that answers token by token, on two nodes of its own. */
async function submitServer(): Promise<string> {
  await startServerAgents(platform, PRICE_ATTO);
  const program = await readFile(join(repositoryRoot, 'examples/tokens/serve.pl'));
  const cid = await client.putContent(program);
  const { id } = await post('/v1/jobs', serverRequest(cid, `${PRICE_ATTO}`, `${BUDGET_ATTO}`));
  return id;
}

/** What a service is charged for by an event, and as which of its charges. */
function chargedBy({ type, data }: PoolEvent) {
  if (type === 'LeaseRenewed') return [{ work: data.work, chargeNumber: data.chargeNumber, isLast: false }];
  if (type !== 'ReplicasMetered') return [];
  return data.work.map((work, index) => ({ work, chargeNumber: data.chargeNumber + index, isLast: true }));
}

test('a service outlives the node of its replica, pays as it goes, and leaves nothing behind', async () => {
  const id = await submit();
  const served = await jobWhere(
    id,
    ({ chargedAtto, tasks }) => chargedAtto !== '0' && tasks[0]!.outputs.length > 0,
  );
  expect(served).toMatchObject({ status: 'running', service: { replicasWanted: 1, replicasRunning: 1 } });
  const { cid } = served.tasks[0]!.outputs[0]!;
  expect(new TextDecoder().decode(await client.getContent(cid)).trim()).toBe('168');

  const [first] = await grants();
  const victim: AgentName = first!.nodeId === (await nodeOf('alpha')) ? 'alpha' : 'beta';
  await platform.killAgent(victim);
  const second = await eventually(async () => (await grants())[1]);
  expect(second.nodeId).toBe(await nodeOf(victim === 'alpha' ? 'beta' : 'alpha'));
  await eventually(async () => {
    const renewed = (await poolEvents()).some(
      ({ type, data }) => type === 'LeaseRenewed' && data.leaseId === second.leaseId,
    );
    return renewed ? true : undefined;
  });

  await post(`/v1/jobs/${id}/scale`, { replicasMin: 2, replicasMax: 2 });
  await jobWhere(id, ({ service }) => service.replicasWanted === 2 && service.replicasRunning === 2);

  await client.cancel(id);
  await nothingReserved();
  const desired = await new DesiredStates(bus).get(second.nodeId);
  expect(desired?.state.assignments).toEqual([]);

  const charged = (await poolEvents()).flatMap(chargedBy);
  const usedAtto = charged.reduce(
    (sum, { work }) => sum + (BigInt(work.meteredMs) * work.pricePerSecondAtto + 999n) / 1_000n,
    0n,
  );
  // Both replicas were running when the service ended, which nobody reported any more.
  expect(charged.filter(({ isLast }) => isLast)).toHaveLength(2);
  const { chargedAtto } = (await client.job(id)) as ServiceJob;
  expect(BigInt(chargedAtto)).toBe(usedAtto);
  expect(charged.map(({ chargeNumber }) => chargeNumber)).toEqual(charged.map((_, index) => index + 1));
  const audit = await auditEvents(bus);
  expect([audit.ledgerSumAtto, audit.unbalanced, audit.jobsNotEndedOnce]).toEqual([0n, [], []]);
}, 180_000);

test('replicas follow the load that agents report, up to the most and down to the least', async () => {
  // The node that is left has room for two. One run begins every 100 ms and takes far more than 5 % of that, on any
  // machine, so that one replica is too few.
  const bounds = { replicasMin: 1, replicasMax: 2 };
  const busy = await submit(10_000_000, { ...bounds, runEveryMs: 100, targetBusyThousandths: 50 });
  const full = await jobWhere(busy, ({ service }) => service.replicasRunning === 2);
  expect(full.service).toMatchObject({ replicasWanted: 2 });
  const rises = await scalesOf(busy);
  expect(rises.length).toBeGreaterThan(0);
  expect(rises.at(-1)).toMatchObject({ replicas: 2, ...bounds });
  await client.cancel(busy);
  await nothingReserved();

  // One run every 10 s keeps nobody busy: what the tenant has asked for is too many once it asks for less.
  const idle = await submit(1_000, { ...bounds, replicasMin: 2, runEveryMs: 10_000, coolDownMs: 1_000 });
  await jobWhere(idle, ({ service }) => service.replicasRunning === 2);
  await post(`/v1/jobs/${idle}/scale`, bounds);
  await jobWhere(idle, ({ service }) => service.replicasWanted === 1 && service.replicasRunning === 1);
  const falls = await scalesOf(idle);
  // The new bounds let all of them be; that they went is the load's doing.
  expect(falls[0]).toMatchObject({ replicas: 2, ...bounds, revoked: [] });
  expect(falls.at(-1)).toMatchObject({ replicas: 1, ...bounds });
  expect(falls.flatMap(({ revoked }) => revoked)).toHaveLength(1);
  await client.cancel(idle);
  await nothingReserved();
  expect((await auditEvents(bus)).ledgerSumAtto).toBe(0n);
}, 240_000);

test('a job whose money pays for one task gets notice, goes on with more money, and ends without', async () => {
  const paid = await submitShort(600_000);
  const short = await eventually(async () => {
    const job = (await paid.own.job(paid.id)) as FundedJob;
    return job.funding.shortage && job.tasksSucceeded === 1 && job.chargedAtto !== '0' ? job : undefined;
  });
  expect(short).toMatchObject({
    status: 'running',
    funding: { shortage: { missingAtto: `${MOST_OF_TASK_ATTO}`, stopsAt: expect.any(String) } },
  });
  await platform.administration().credit(paid.tenantId, 2n * MOST_OF_TASK_ATTO);
  const told = await eventsOf(paid);
  expect(told.filter(type => type !== 'TaskSucceeded')).toEqual([
    'JobSubmitted',
    'JobQueued',
    'JobShortOfFunds',
    'JobFundedAgain',
    'JobSucceeded',
  ]);

  const unpaid = await submitShort(1);
  const heard = await eventsOf(unpaid);
  expect(heard).toContain('JobShortOfFunds');
  expect(heard.at(-1)).toBe('JobFailed');
  const rest = await eventually(async () => {
    const balance = await unpaid.balance();
    return balance.reservedAtto === '0' ? balance : undefined;
  });
  const { chargedAtto, ...ended } = await eventually(async () => {
    const job = (await unpaid.own.job(unpaid.id)) as FundedJob;
    return job.chargedAtto === '0' ? undefined : job;
  });
  const done = `1 of 3 tasks are done and cost ${chargedAtto} atto`;
  const detail = `${done}; ${MOST_OF_TASK_ATTO} atto were missing for another`;
  expect(ended).toMatchObject({ status: 'failed', reason: 'insufficient_funds', detail, tasksSucceeded: 1 });
  expect(BigInt(rest.availableAtto)).toBe(MOST_OF_TASK_ATTO - BigInt(chargedAtto));
  const audit = await auditEvents(bus);
  expect([audit.ledgerSumAtto, audit.unbalanced, audit.jobsNotEndedOnce]).toEqual([0n, [], []]);
}, 180_000);

test('a server is reached by its tenant alone, on whichever replica is healthy, and outlives a node', async () => {
  // Only a node whose agent runs as root enters the network of a sandbox, and offers servers.
  if (process.getuid?.() !== 0) return;
  const stranger = await platform.administration().registerTenant('A stranger');
  const id = await submitServer();
  const replicasAre = (count: number) =>
    jobWhere(id, ({ service: { replicas = [] } }) => {
      const healthy = replicas.filter(({ health }) => health === 'healthy');
      return replicas.length === count && healthy.length === count;
    });
  const served = await replicasAre(2);
  const ask = endpointOf(platform.gatewayUrl, id);
  const answersOf = async (count: number) =>
    Promise.all(Array.from({ length: count }, () => ask('/name', { key: apiKey })));
  const names = new Set((await answersOf(16)).map(({ text }) => text));
  expect(names.size).toBe(2);

  const completion = await ask('/v1/completions', { key: apiKey, method: 'POST', body: 'one two three' });
  expect(completion.pieces).toEqual(['one', 'two', 'three', '[DONE]'].map(token => `data: ${token}\n\n`));
  const large = { key: apiKey, method: 'POST', body: 'x'.repeat(3 * BYTES_PER_MIB) };
  expect((await ask('/length', large)).text).toBe(`${3 * BYTES_PER_MIB}`);
  expect(await ask('/none', { key: apiKey })).toMatchObject({ status: 404, text: 'nothing here' });
  const { text, headers } = await ask('/headers', { key: apiKey });
  expect(text).toContain('x-mine=yes');
  expect(text).not.toContain('authorization');
  expect([headers.get('x-name'), headers.get('set-cookie')]).toEqual([
    expect.stringMatching(/^\d{12}$/),
    null,
  ]);

  const refused = async (path: string, how: Asking) => {
    const { status, json } = await ask(path, how);
    return [status, json['code']];
  };
  const tooLarge = { key: apiKey, method: 'POST', body: 'x'.repeat(17 * BYTES_PER_MIB) };
  expect(await refused('/name', {})).toEqual([401, 'credentials_missing']);
  expect(await refused('/name', { key: stranger.apiKey })).toEqual([404, 'service_not_found']);
  expect(await refused('/length', tooLarge)).toEqual([413, 'body_too_large']);
  expect(await refused('/slow', { key: apiKey })).toEqual([504, 'service_timed_out']);
  // It may have been done: nobody but the client knows whether it may be done twice.
  expect(await refused('/crash', { key: apiKey, method: 'POST' })).toEqual([502, 'service_failed']);

  // The one that crashed has another name once it was started again.
  await eventually(async () => {
    const answers = await answersOf(16);
    const again = new Set(answers.flatMap(({ status, text: name }) => (status === 200 ? [name] : [])));
    return again.size === 2 && [...again].some(name => !names.has(name)) ? true : undefined;
  });
  await platform.killAgent('gamma');
  const left = await answersOf(16);
  expect(new Set(left.map(({ status, text: name }) => `${status} ${name}`)).size).toBe(1);
  expect(left[0]!.status).toBe(200);
  await platform.killAgent('delta');
  expect(await refused('/name', { key: apiKey })).toEqual([503, 'service_unavailable']);

  const { service } = await jobWhere(id, job => (job.service.requests?.count ?? 0) >= 36);
  expect(service).toMatchObject({ port: 8_080, protocol: 'http', requests: { count: expect.any(Number) } });
  expect(service.requests!.requestBytes).toBeGreaterThan(3 * BYTES_PER_MIB);
  expect(new Set(served.service.replicas!.map(({ nodeId }) => nodeId)).size).toBe(2);
  await client.cancel(id);
  await nothingReserved();
  await eventually(async () => ((await ask('/name', { key: apiKey })).status === 409 ? true : undefined));
}, 180_000);
