import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Bus } from '@astro/jetstream/bus';
import { generateOperatorKit, serviceCredentials } from '@astro/jetstream/operator-kit';
import { startNats, type NatsServer } from './nats/server.js';
import { startPacedChain } from './anvil/paced-chain.js';
import { anvilSettlerKey, type AnvilServer } from './anvil/server.js';
import { addressesFileOf, ensureProtocol } from './chain.js';
import { deposit, linkWallet } from './escrow-deposit.js';
import { localAddressOf } from './local-wallets.js';
import { Platform } from './platform.js';
import { startPostgres, type PostgresServer } from './postgres/server.js';
import { StateFolder } from './state.js';

const names = [
  'NATS_URL',
  'NATS_CREDENTIALS_FILE',
  'DATABASE_URL',
  'AGENT_ACCOUNT_PUBLIC_KEY',
  'AGENT_SIGNING_SEED',
  'RPC_URL',
  'CHAIN_ADDRESSES_FILE',
  'SETTLER_KEY_FILE',
];
const before = Object.fromEntries(names.map(name => [name, process.env[name]]));
let dir: string;
let nats: NatsServer;
let postgres: PostgresServer;
let anvil: AnvilServer;
let credentials: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'astro-external-'));
  const kit = generateOperatorKit();
  [nats, postgres, anvil] = await Promise.all([
    startNats({ dir: join(dir, 'nats'), kit }),
    startPostgres({ dir: join(dir, 'postgres') }),
    startPacedChain({ dir: join(dir, 'anvil'), log: () => undefined }),
  ]);
  const own = { rpcUrl: anvil.url, addressesFile: undefined };
  const elsewhere = StateFolder.open(join(dir, 'elsewhere'));
  await ensureProtocol(own, elsewhere, () => undefined);
  const credentialsFile = join(dir, 'platform.creds');
  credentials = serviceCredentials(kit, 'platform');
  await writeFile(credentialsFile, credentials, { mode: 0o600 });
  Object.assign(process.env, {
    NATS_URL: nats.url,
    NATS_CREDENTIALS_FILE: credentialsFile,
    DATABASE_URL: postgres.adminUrl,
    AGENT_ACCOUNT_PUBLIC_KEY: kit.agentAccountPublicKey,
    AGENT_SIGNING_SEED: kit.agentSigningSeed,
    // The first of them does not answer.
    RPC_URL: `http://127.0.0.1:1,${anvil.url}`,
    CHAIN_ADDRESSES_FILE: addressesFileOf(own, elsewhere),
    SETTLER_KEY_FILE: elsewhere.writeFile('settler', anvilSettlerKey),
  });
});

afterAll(async () => {
  for (const name of names) {
    if (before[name] === undefined) delete process.env[name];
    else process.env[name] = before[name];
  }
  await Promise.all([nats.stop(), postgres.stop(), anvil.stop()]);
  await rm(dir, { recursive: true, force: true });
});

test('the platform runs on servers that somebody else runs, and leaves them running', async () => {
  const platform = await Platform.start({ stateDir: join(dir, 'state'), infra: 'external', settles: true });
  try {
    const administration = platform.administration();
    const { tenantId, apiKey } = await administration.registerTenant('External');
    expect([platform.settles, platform.chain.isOwn]).toEqual([true, false]);
    await expect(administration.credit(tenantId, 5n)).rejects.toThrow(
      /CreditIsNotOnChain.*through Escrow alone/,
    );
    await platform.untilChainIsReady();
    await linkWallet(platform, { owner: 'tenant', ownerId: tenantId, apiKey });
    await deposit(platform, localAddressOf(tenantId), 5n);
    const account = () =>
      fetch(`${platform.gatewayUrl}/v1/account`, { headers: { authorization: `Bearer ${apiKey}` } });
    await expectEventually(async () => (await account()).json(), { availableAtto: '5', reservedAtto: '0' });
    expect(platform.natsUrl).toBe(nats.url);
    expect(platform.chain.addressesFile).toBe(process.env['CHAIN_ADDRESSES_FILE']);
  } finally {
    await platform.stop();
  }
  const bus = await Bus.connect({ servers: nats.url, name: 'afterwards', credentials });
  expect(bus.isUp).toBe(true);
  await bus.close();
});

test('what is missing is named, a line for each', async () => {
  const given = process.env['DATABASE_URL'];
  delete process.env['DATABASE_URL'];
  delete process.env['RPC_URL'];
  process.env['NATS_URL'] = 'nowhere';
  try {
    const start = Platform.start({ stateDir: join(dir, 'other'), infra: 'external' });
    await expect(start).rejects.toThrow(/NATS_URL[^]*\n[^]*DATABASE_URL[^]*\n[^]*RPC_URL/);
  } finally {
    Object.assign(process.env, { DATABASE_URL: given, NATS_URL: nats.url, RPC_URL: anvil.url });
  }
});

/** What was paid in is credited when the chain calls it final. */
async function expectEventually(read: () => Promise<unknown>, expected: object): Promise<void> {
  for (let attempt = 0; attempt < 600; attempt++) {
    const actual = await read();
    if (Object.entries(expected).every(([key, value]) => (actual as Record<string, unknown>)[key] === value))
      return;
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  expect(await read()).toMatchObject(expected);
}
