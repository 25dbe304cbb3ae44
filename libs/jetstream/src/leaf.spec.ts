import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startLeaf } from '@astro/devstack/nats/leaf';
import { startNats, type NatsServer } from '@astro/devstack/nats/server';
import { newId } from '@astro/event-sourcing/ids';
import type { DesiredState } from '@astro/messages/agent';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { connect, credsAuthenticator } from '@nats-io/transport-node';
import { AgentAccountKeeper } from './agent-account-keeper.js';
import { AgentLink } from './agent-link.js';
import { Bus } from './bus.js';
import { agentKeyPair, issueAgentJwt } from './credentials.js';
import { DesiredStates } from './desired-state.js';
import { hubConfigOf, leafCredentials } from './leaf.js';
import { accountKeeperCredentials, generateOperatorKit, serviceCredentials } from './operator-kit.js';
import { ensureStreams } from './streams.js';

const kit = generateOperatorKit();

let dir: string;
let hub: NatsServer;
let leaf: NatsServer;
let bus: Bus;
let hubUrl: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'astro-leaf-'));
  const spare = await startNats({ dir: join(dir, 'spare') });
  await spare.stop();
  hubUrl = `nats://127.0.0.1:${spare.port}`;
  hub = await startNats({ dir: join(dir, 'hub'), kit, settings: hubConfigOf(`127.0.0.1:${spare.port}`) });
  leaf = await startLeaf({ dir: join(dir, 'leaf'), kit, hubUrl });
  const credentials = serviceCredentials(kit, 'spec');
  bus = await Bus.connect({ servers: hub.url, name: 'leaf-spec', credentials });
  await ensureStreams(bus);
}, 120_000);

afterAll(async () => {
  await bus.close();
  await leaf.stop();
  await hub.stop();
  await rm(dir, { recursive: true, force: true });
});

test('an agent of a leaf reports, is heard, and is told what it should do', async () => {
  const { nodeId, link } = await enrol();
  const told: DesiredState[] = [];
  link.onDesired(state => told.push(state));
  await link.report('DesiredStateWanted', { revision: 0 });
  expect(await lastOf('AGENT_REPORTS', `agent.${nodeId}.DesiredStateWanted`)).not.toBeNull();
  link.heartbeat({ agentVersion: '1', runningLeases: 2, cpuPercent: 3, memoryUsedMib: 4 });
  await until(async () => (await lastOf('TELEMETRY', `telemetry.${nodeId}.>`)) !== null);
  await new DesiredStates(bus).put({ nodeId, assignments: [] }, 1);
  await until(async () => told.length === 1);
  await link.close();
});

test.each(['leaf', 'hub'] as const)(
  'an agent goes on when the %s has crashed and is back',
  async which => {
    const { nodeId, link } = await enrol();
    const told: DesiredState[] = [];
    link.onDesired(state => told.push(state));
    if (which === 'leaf') {
      await leaf.kill();
      leaf = await startLeaf({ dir: join(dir, 'leaf'), port: leaf.port, kit, hubUrl });
    } else {
      await hub.kill();
      const settings = hubConfigOf(new URL(hubUrl).host);
      hub = await startNats({ dir: join(dir, 'hub'), port: hub.port, kit, settings });
    }
    await link.report('DesiredStateWanted', { revision: 0 });
    await until(async () => bus.isUp);
    await until(async () => {
      await new DesiredStates(bus).put({ nodeId, assignments: [] }, 1).catch(() => undefined);
      return told.length > 0;
    });
    await link.close();
  },
  60_000,
);

describe('a key that is revoked', () => {
  let keeper: AgentAccountKeeper;

  beforeAll(() => {
    keeper = new AgentAccountKeeper({
      servers: hub.url,
      credentials: accountKeeperCredentials(kit, 'spec'),
      accountPublicKey: kit.agentAccountPublicKey,
      operatorSigningSeed: kit.operatorSigningSeed,
    });
  });

  afterAll(() => keeper.close());

  test('is cut off at a leaf', async () => {
    const { link, publicKey } = await enrol();
    await keeper.revoke([{ publicKey, revokedAt: new Date() }], new Date());
    await until(async () => !link.isUp);
    await link.close();
  }, 60_000);

  test('is cut off at a leaf that was away meanwhile', async () => {
    const { link, publicKey } = await enrol();
    await leaf.kill();
    await keeper.revoke([{ publicKey, revokedAt: new Date() }], new Date());
    leaf = await startLeaf({ dir: join(dir, 'leaf'), port: leaf.port, kit, hubUrl });
    let refusals = 0;
    link.onRefused(() => (refusals += 1));
    await until(async () => refusals > 0);
    await link.close();
  }, 60_000);
});

test('what a leaf has lets nobody in as a client', async () => {
  for (const text of Object.values(leafCredentials(kit, 'thief'))) {
    const authenticator = credsAuthenticator(new TextEncoder().encode(text));
    await expect(connect({ servers: hub.url, authenticator, reconnect: false })).rejects.toThrow(
      /authorization/i,
    );
  }
});

test('a leaf passes on nothing but what agents say', async () => {
  const intruder = join(dir, 'intruder');
  const { platform } = leafCredentials(kit, 'intruder');
  const stolen = join(dir, 'intruder.creds');
  await writeFile(stolen, platform, { mode: 0o600 });
  // A server of somebody who has the credentials of a leaf, and lets everybody in.
  const settings = `leafnodes { remotes: [{ url: "${hubUrl}", credentials: ${JSON.stringify(stolen)} }] }`;
  const server = await startNats({ dir: intruder, settings, stores: false });
  const connection = await connect({ servers: server.url });
  const heard: string[] = [];
  connection.subscribe('>', { callback: (_error, { subject }) => void heard.push(subject) });
  await connection.flush();
  const kept = (stream: string) => bus.jsm.streams.info(stream).then(({ state }) => state.messages);
  const before = [await kept('CMD_REGISTRY'), await kept('EVT_REGISTRY')];
  await until(async () => {
    connection.publish('telemetry.node_intruder.Heartbeat', new Uint8Array());
    return (await lastOf('TELEMETRY', 'telemetry.node_intruder.>')) !== null;
  });
  for (const subject of ['cmd.registry.node.node_1.EnrolNode', 'evt.registry.node.node_1.NodeEnrolled'])
    connection.publish(subject, new Uint8Array());
  await expect(connection.request('$JS.API.INFO', '', { timeout: 1_000 })).rejects.toThrow();
  await bus.connection.request('$JS.API.INFO');
  bus.connection.publish('agent.node_2.desired', new Uint8Array());
  await until(async () => heard.includes('agent.node_2.desired'));
  expect([await kept('CMD_REGISTRY'), await kept('EVT_REGISTRY')]).toEqual(before);
  expect(heard.filter(subject => /^(cmd|evt|out)\./.test(subject))).toEqual([
    'cmd.registry.node.node_1.EnrolNode',
    'evt.registry.node.node_1.NodeEnrolled',
  ]);
  await connection.close();
  await server.stop();
}, 60_000);

async function enrol() {
  const nodeId = newId('node');
  const seed32 = randomBytes(32);
  const { publicKey } = agentKeyPair(seed32);
  const jwt = issueAgentJwt({
    accountPublicKey: kit.agentAccountPublicKey,
    signingSeed: kit.agentSigningSeed,
    nodeId,
    userPublicKey: publicKey,
    ttlSeconds: 600,
  });
  const access = () => ({ jwt, seed32 });
  const link = await AgentLink.connect({ servers: leaf.url, nodeId, access, name: 'spec' });
  return { nodeId, link, publicKey };
}

const lastOf = (stream: string, subject: string) =>
  bus.jsm.streams.getMessage(stream, { last_by_subj: subject });

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise(resolve => setTimeout(resolve, 50));
}
