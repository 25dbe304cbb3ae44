import { mkdtemp, rm } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNats, type NatsServer } from '@astro/devstack/nats/server';
import { newId } from '@astro/event-sourcing/ids';
import type { DesiredState } from '@astro/messages/agent';
import { decode } from '@astro/messages/codec';
import { rawPublicKey } from '@astro/messages/nkey';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { connect, credsAuthenticator } from '@nats-io/transport-node';
import { AgentLink } from './agent-link.js';
import { Bus } from './bus.js';
import { agentKeyPair, issueAgentJwt } from './credentials.js';
import { ExchangeCaller } from './exchange-caller.js';
import { DesiredStates } from './desired-state.js';
import { generateOperatorKit, serviceCredentials } from './operator-kit.js';
import { ensureStreams } from './streams.js';

const kit = generateOperatorKit();

let dir: string;
let server: NatsServer;
let bus: Bus;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'astro-agent-link-'));
  server = await startNats({ dir, kit });
  bus = await Bus.connect({
    servers: server.url,
    name: 'agent-link-spec',
    credentials: serviceCredentials(kit, 'spec'),
  });
  await ensureStreams(bus);
}, 120_000);

afterAll(async () => {
  await bus.close();
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

test('a report is durable under the node’s own name when it resolves', async () => {
  const { nodeId, link } = await enrol();
  const payload = { poolId: 'main', leaseId: newId('lease'), fencingToken: 7 };
  await link.report('TaskStarted', payload);
  const stored = await bus.jsm.streams.getMessage('AGENT_REPORTS', {
    last_by_subj: `agent.${nodeId}.TaskStarted`,
  });
  expect(decode('astro.agent.v1.TaskStarted', stored!.data)).toEqual(payload);
  await link.close();
});

test('a heartbeat arrives in the telemetry', async () => {
  const { nodeId, link } = await enrol();
  link.heartbeat({ agentVersion: '1', runningLeases: 2, cpuPercent: 3, memoryUsedMib: 4 });
  await waitFor(
    async () =>
      (await bus.jsm.streams.getMessage('TELEMETRY', { last_by_subj: `telemetry.${nodeId}.>` })) !== null,
  );
  await link.close();
});

test('a node is told its own desired state whenever it changes, and nobody else’s', async () => {
  const { nodeId, link } = await enrol();
  const desired = new DesiredStates(bus);
  const told: DesiredState[] = [];
  link.onDesired(state => told.push(state));
  await desired.put({ nodeId: newId('node'), assignments: [] }, 1);
  const state = { nodeId, assignments: [assignment()] };
  await desired.put(state, 1);
  const revision = await desired.put({ nodeId, assignments: [] }, 2);
  await waitFor(async () => told.length === 2);
  expect(told).toEqual([state, { nodeId, assignments: [] }]);
  expect(link.revision).toBe(revision);
  expect(await desired.get(nodeId)).toEqual({ state: { nodeId, assignments: [] }, revision });
  await link.close();
});

test('an agent comes back after a crash of the server, and its reports and orders with it', async () => {
  const { nodeId, link } = await enrol();
  let reconnections = 0;
  const told: DesiredState[] = [];
  link.onReconnect(() => (reconnections += 1));
  link.onDesired(state => told.push(state));
  await server.kill();
  await waitFor(async () => !link.isUp);
  const reporting = link.report('DesiredStateWanted', { revision: 0 });
  server = await startNats({ dir, kit, port: server.port });
  await reporting;
  await waitFor(async () => bus.isUp);
  await new DesiredStates(bus).put({ nodeId, assignments: [] }, 1);
  await waitFor(async () => told.length === 1);
  expect(reconnections).toBe(1);
  await link.close();
}, 30_000);

test('an expired credential ends the connection, and a renewed one restores it', async () => {
  const nodeId = newId('node');
  const seed32 = randomBytes(32);
  let jwt = jwtFor(nodeId, seed32, 2);
  const link = await AgentLink.connect({ ...options(nodeId), access: () => ({ jwt, seed32 }) });
  await waitFor(async () => !link.isUp);
  jwt = jwtFor(nodeId, seed32);
  await waitFor(async () => link.isUp);
  await link.report('DesiredStateWanted', { revision: 0 });
  await link.close();
}, 30_000);

test('a credential serves only who holds its key', async () => {
  const nodeId = newId('node');
  const stolen = jwtFor(nodeId, randomBytes(32));
  const thief = AgentLink.connect({
    ...options(nodeId),
    access: () => ({ jwt: stolen, seed32: randomBytes(32) }),
  });
  await expect(thief).rejects.toThrow(/authorization/i);
});

test('a node key survives the journey to its 32 public bytes, and a misspelt one is refused', () => {
  const { publicKey } = agentKeyPair(Uint8Array.from({ length: 32 }, (_, index) => index));
  expect(publicKey).toMatch(/^U[A-Z2-7]{55}$/);
  // RFC 8032's key of the seed 00 01 … 1f.
  expect(Buffer.from(rawPublicKey(publicKey)).toString('hex')).toBe(
    '03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8',
  );
  const misspelt = publicKey.slice(0, 20) + (publicKey[20] === 'A' ? 'B' : 'A') + publicKey.slice(21);
  expect(() => rawPublicKey(misspelt)).toThrow(/checksum/);
});

test('a request is answered by the agent of its node, piece by piece, and by nobody where there is none', async () => {
  const { nodeId, link } = await enrol();
  link.onExchange((request, exchange) => {
    exchange.welcome();
    exchange.answer({ status: 201, headers: [{ name: 'x-path', value: request.path }] });
    void (async () => {
      for await (const chunk of exchange.body()) await exchange.write(chunk);
      exchange.finish();
    })();
  });
  const caller = new ExchangeCaller(bus);
  const head = {
    leaseId: 'lease_1',
    fencingToken: 1,
    method: 'POST',
    path: '/echo',
    headers: [],
    hasBody: true,
  };
  // The subscription is on its way to the server.
  await link.report('DesiredStateWanted', { revision: 0 });
  const exchange = caller.call(nodeId, head);
  expect(await exchange.answered()).toEqual({ status: 201, headers: [{ name: 'x-path', value: '/echo' }] });
  const answer = exchange.body();
  for (const word of ['one', 'two']) {
    await exchange.write(Buffer.from(word));
    expect(Buffer.from((await answer.next()).value).toString()).toBe(word);
  }
  exchange.finish();
  expect((await answer.next()).done).toBe(true);
  const nobody = caller.call(newId('node'), head);
  await expect(nobody.answered()).rejects.toMatchObject({ breach: 'not_here' });
  caller.close();
  await link.close();
});

test('a service’s credentials let it in, and nobody gets in without any', async () => {
  const credentials = new TextEncoder().encode(serviceCredentials(kit, 'another'));
  const service = await connect({ servers: server.url, authenticator: credsAuthenticator(credentials) });
  await service.close();
  await expect(connect({ servers: server.url, reconnect: false })).rejects.toThrow(/authorization/i);
});

const options = (nodeId: string) => ({
  servers: server.url,
  nodeId,
  name: 'agent-link-spec',
});

function jwtFor(nodeId: string, seed32: Uint8Array, ttlSeconds = 600): string {
  return issueAgentJwt({
    accountPublicKey: kit.agentAccountPublicKey,
    signingSeed: kit.agentSigningSeed,
    nodeId,
    userPublicKey: agentKeyPair(seed32).publicKey,
    ttlSeconds,
  });
}

/** A node of its own for each test. */
async function enrol() {
  const nodeId = newId('node');
  const seed32 = randomBytes(32);
  const jwt = jwtFor(nodeId, seed32);
  return { nodeId, link: await AgentLink.connect({ ...options(nodeId), access: () => ({ jwt, seed32 }) }) };
}

const assignment = () => ({
  poolId: 'main',
  leaseId: newId('lease'),
  jobId: newId('job'),
  taskId: newId('task'),
  fencingToken: 1,
  deadline: new Date(0),
  program: { cid: 'c', timeLimitMs: 1, memoryLimitMib: 1, outputLimitBytes: 1 },
  inputs: [],
  args: [],
  attestations: [],
});

async function waitFor(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise(resolve => setTimeout(resolve, 10));
}
