import { randomBytes } from 'node:crypto';
import { newId } from '@astro/event-sourcing/ids';
import { CommandBus } from '@astro/jetstream/command-bus';
import type { Offer } from '@astro/messages/registry';
import { plainDevice, plainInventory, plainOffer } from '@astro/messages/unconstrained';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { cidOf, startGateway, until, type GatewayUnderTest } from '../gateway.fixture.js';
import { jobPlan, taskExplanation, tickExplanation } from './foresight.schema.js';

jest.setTimeout(120_000);

let gateway: GatewayUnderTest;
let tenant: { tenantId: string; apiKey: string };
let stranger: { tenantId: string; apiKey: string };
const program = randomBytes(64);
const nodeId = newId('node');

beforeAll(async () => {
  gateway = await startGateway();
  const administration = gateway.platform.administration();
  tenant = await administration.registerTenant('a tenant');
  stranger = await administration.registerTenant('another tenant');
  await administration.credit(tenant.tenantId, 10n ** 18n);
  for (const { apiKey } of [tenant, stranger])
    await until(
      () => gateway.call('GET', '/v1/account', { key: apiKey }),
      ({ status }) => status === 200,
    );
  await gateway.call('PUT', `/v1/content/${cidOf(program)}`, { key: tenant.apiKey, body: program });
  await admit(offer);
});
afterAll(() => gateway?.stop());

const offer: Offer = {
  nodeId,
  operatorId: newId('operator'),
  region: 'de-fra',
  pricePerSecondAtto: 900n,
  inventory: {
    devices: [{ kind: 'cpu', vendor: 'AMD', model: 'EPYC 9354', memoryMib: 1_024, ...plainDevice }],
    cpuMillis: 1_000,
    memoryMib: 1_024,
    diskMib: 1_024,
    operatingSystem: 'linux',
    architecture: 'x64',
    runtimes: ['wasm'],
    ...plainInventory,
  },
  ...plainOffer,
};

/** As the pool hears of a node that has come online. */
async function admit(of: Offer): Promise<void> {
  const commands = new CommandBus(await gateway.platform.connectBus(), `visitor-${newId('req')}`);
  const to = { type: 'scheduling.pool', id: 'main' } as const;
  const metadata = { correlationId: newId('req'), causationId: newId('req'), actor: 'service:test' };
  const command = { to, type: 'AdmitNode', data: { poolId: 'main', offer: of } } as const;
  const outcome = await commands.request(command, { id: newId('cmd'), metadata, timeoutMs: 10_000 });
  expect(outcome).toMatchObject({ accepted: true, changed: true });
}

const jobRequest = (requirements: object = {}) => ({
  name: 'digits',
  program: { cid: cidOf(program), timeLimitMs: 1_000, memoryLimitMib: 16, outputLimitBytes: 1_024 },
  requirements: {
    deviceKind: 'cpu',
    cpuMillis: 500,
    memoryMib: 64,
    maxPricePerSecondAtto: '1000',
    ...requirements,
  },
  quorum: 1,
  tasks: [{ inputs: [] }],
});
const plan = (body: object) => gateway.call('POST', '/v1/jobs/plan', { key: tenant.apiKey, body });

test('a plan says where the job would run, at what price, when, and what it would reserve', async () => {
  const answer = await plan(jobRequest());
  expect(answer.status).toBe(200);
  expect(jobPlan.parse(answer.json)).toMatchObject({
    startsNow: 1,
    placements: [{ nodeId, operatorId: offer.operatorId, pricePerSecondAtto: '900' }],
    startsInMs: { p50: 0, p90: 0 },
    maxCostAtto: '1000',
    reservedAtto: '1000',
  });
});

test('a plan says what a job that is funded stepwise would reserve at first', async () => {
  const tasks = [{ inputs: [] }, { inputs: [] }, { inputs: [] }];
  const stepwise = { ...jobRequest(), tasks, expectedDurationMs: 500, funding: { mode: 'stepwise' } };
  const { json } = await plan(stepwise);
  // Three at 900 a second, for half a second each; one can cost 1,000, and all 3,000.
  expect(json).toMatchObject({ maxCostAtto: '3000', expectedCostAtto: '1350', reservedAtto: '1350' });
});

test('a plan of what no node could host names the rule', async () => {
  const { json } = await plan(jobRequest({ regions: ['us-east-1'] }));
  expect(json).toMatchObject({ startsNow: 0, nodes: 1, eligibleNodes: 0, excluded: { region: 1 } });
  expect(json['startsInMs']).toBeUndefined();
});

test('a plan is checked like a job, and leaves none behind', async () => {
  expect(await plan({ ...jobRequest(), quorum: 9 })).toMatchObject({ status: 400 });
  const { json } = await gateway.call('GET', '/v1/jobs', { key: tenant.apiKey });
  expect(json['items']).toEqual([]);
});

test('a job that waits is explained to its tenant alone, with the change that would have won', async () => {
  const body = jobRequest({ maxPricePerSecondAtto: '899' });
  const submitted = await gateway.call('POST', '/v1/jobs', { key: tenant.apiKey, body });
  const path = `/v1/jobs/${submitted.json['id'] as string}/explain`;
  const explained = await until(
    () => gateway.call('GET', path, { key: tenant.apiKey }),
    ({ status }) => status === 200,
  );
  expect(taskExplanation.parse(explained.json)).toMatchObject({
    waitingReplicas: 1,
    nodes: 1,
    passing: 0,
    filters: { priceCap: { failing: 1, alone: 1 } },
    nearest: [{ nodeId, wouldWinBy: { change: 'filter', filter: 'priceCap' } }],
  });
  expect(await gateway.call('GET', path, { key: stranger.apiKey })).toMatchObject({
    status: 404,
    json: { code: 'job_not_found' },
  });
  expect(await gateway.call('GET', `${path}?task=task_9`, { key: tenant.apiKey })).toMatchObject({
    status: 404,
    json: { code: 'task_not_found' },
  });
});

test('a recorded tick is decided again with one thing changed', async () => {
  const submitted = await gateway.call('POST', '/v1/jobs', { key: tenant.apiKey, body: jobRequest() });
  const path = `/v1/jobs/${submitted.json['id'] as string}/explain/tick`;
  const ask = (query: string, key = tenant.apiKey) => gateway.call('GET', `${path}?${query}`, { key });
  const explained = await until(
    () => ask(`withoutNode=${nodeId}`),
    ({ status }) => status === 200,
  );
  expect(tickExplanation.parse(explained.json)).toMatchObject({
    recorded: { grants: [{ nodeId, pricePerSecondAtto: '900' }], grantsOfJob: 1 },
    isRepeated: true,
    changed: { grants: [], grantsOfJob: 0 },
  });
  const position = explained.json['position'] as number;
  const dearer = await ask(`nodeId=${nodeId}&nodePrice=950&position=${position}`);
  expect(dearer.json).toMatchObject({ changed: { grants: [{ nodeId, pricePerSecondAtto: '950' }] } });
  expect(await ask(`withoutNode=${nodeId}&maxPricePerSecondAtto=1`)).toMatchObject({ status: 400 });
  expect(await ask(`withoutNode=${nodeId}`, stranger.apiKey)).toMatchObject({ status: 404 });
});

test('while nobody answers for the pool, the question is refused as such', async () => {
  gateway.platform.kill('scheduling', 'SIGSTOP');
  try {
    expect(await plan(jobRequest())).toMatchObject({ status: 503, json: { code: 'pool_unavailable' } });
  } finally {
    gateway.platform.kill('scheduling', 'SIGCONT');
  }
});
