import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNats, type NatsServer } from '@astro/devstack/nats/server';
import { newId } from '@astro/event-sourcing/ids';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { connect, jwtAuthenticator, type NatsConnection } from '@nats-io/transport-node';
import { AgentAccountKeeper } from './agent-account-keeper.js';
import { agentKeyPair, issueAgentJwt } from './credentials.js';
import { accountKeeperCredentials, generateOperatorKit } from './operator-kit.js';

const kit = generateOperatorKit();
let dir: string;
let server: NatsServer;
let keeper: AgentAccountKeeper;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'astro-account-keeper-'));
  server = await startNats({ dir, kit });
  keeper = new AgentAccountKeeper({
    servers: server.url,
    credentials: accountKeeperCredentials(kit, 'spec'),
    accountPublicKey: kit.agentAccountPublicKey,
    operatorSigningSeed: kit.operatorSigningSeed,
  });
}, 120_000);

afterAll(async () => {
  await keeper.close();
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

test('a revoked key loses its live connection and gets no other, also from a server that starts again', async () => {
  const [thief, neighbour] = [newAgent(), newAgent()];
  const [stolen, other] = [await thief.connect(), await neighbour.connect()];
  const closed = stolen.closed();
  const revoked = { publicKey: thief.publicKey, revokedAt: new Date() };
  expect(await keeper.revoke([revoked], new Date())).toBe(true);
  expect(await closed).toMatchObject({ message: expect.stringMatching(/revoked|authorization/i) });
  await expect(thief.connect()).rejects.toThrow(/authorization/i);
  expect(await keeper.revoke([revoked], new Date())).toBe(false);

  await server.kill();
  await other.close();
  server = await startNats({ dir, kit, port: server.port });
  await expect(thief.connect()).rejects.toThrow(/authorization/i);
  await (await neighbour.connect()).close();
  expect(await onceBack(() => keeper.revoke([revoked], new Date()))).toBe(false);
}, 60_000);

test('a server whose account is signed anew is told again what was revoked', async () => {
  const thief = newAgent();
  const revoked = { publicKey: thief.publicKey, revokedAt: new Date() };
  await keeper.revoke([revoked], new Date());
  await server.stop();
  // As after an update of the platform that changes what agents may do: newer, and without any revocation.
  await new Promise(resolve => setTimeout(resolve, 1_100));
  const { accountJwts: _earlier, ...keys } = kit;
  server = await startNats({ dir, kit: generateOperatorKit(keys), port: server.port });
  await (await thief.connect()).close();
  expect(await onceBack(() => keeper.revoke([revoked], new Date()))).toBe(true);
  await expect(thief.connect()).rejects.toThrow(/authorization/i);
}, 60_000);

test('a key that has not signed the account changes nothing', async () => {
  const forger = new AgentAccountKeeper({
    servers: server.url,
    credentials: accountKeeperCredentials(kit, 'forger'),
    accountPublicKey: kit.agentAccountPublicKey,
    operatorSigningSeed: generateOperatorKit().operatorSigningSeed,
  });
  const agent = newAgent();
  const revoked = { publicKey: agent.publicKey, revokedAt: new Date() };
  await expect(forger.revoke([revoked], new Date())).rejects.toThrow(/is signed by/);
  await (await agent.connect()).close();
  await forger.close();
});

test('a kit that is kept says the same, and one of an earlier release gets what it lacks', () => {
  expect(generateOperatorKit(kit)).toMatchObject({ ...kit, operatorJwt: expect.any(String) });
  const { operatorSeed, accountPublicKey, serviceSigningSeed, agentSigningSeed } = kit;
  const earlier = { operatorSeed, accountPublicKey, serviceSigningSeed, agentSigningSeed };
  const made = generateOperatorKit(earlier);
  expect(made).toMatchObject(earlier);
  expect(made.accountJwts).toHaveProperty(made.agentAccountPublicKey);
});

/** What is asked while the connection is away is lost, and asked again. */
async function onceBack<T>(ask: () => Promise<T>): Promise<T> {
  return ask().catch(() => onceBack(ask));
}

function newAgent() {
  const { publicKey, seed } = agentKeyPair(randomBytes(32));
  const jwt = issueAgentJwt({
    accountPublicKey: kit.agentAccountPublicKey,
    signingSeed: kit.agentSigningSeed,
    nodeId: newId('node'),
    userPublicKey: publicKey,
    ttlSeconds: 600,
  });
  return {
    publicKey,
    connect: (): Promise<NatsConnection> =>
      connect({ servers: server.url, authenticator: jwtAuthenticator(jwt, seed), maxReconnectAttempts: 0 }),
  };
}
