import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RpcPool } from '@astro/chain/rpc/pool';
import { deposit, linkWallet } from '@astro/devstack/escrow-deposit';
import { localAddressOf } from '@astro/devstack/local-wallets';
import { stakeForOperator } from '@astro/devstack/stake';
import { Platform } from '@astro/devstack/platform';
import pg from 'pg';
import { Client, Problem } from './client.js';
import { untilFinal, type EscrowBalance } from './on-chain.js';

const someBatch = `0x${'0b'.repeat(32)}`;
let stateDir: string;
let platform: Platform;
let undisturbed: Platform | undefined;
let client: Client;
let tenantId: string;
let apiKey: string;
let clientAddress: string;
let pool: RpcPool;

beforeAll(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'astro-chain-'));
  platform = await startPlatform();
  const tenant = await platform.administration().registerTenant('pays in on the chain');
  ({ tenantId, apiKey } = tenant);
  clientAddress = localAddressOf(tenantId);
  client = new Client(platform.gatewayUrl, apiKey);
  pool = new RpcPool([platform.chain.rpcUrl]);
  await platform.untilChainIsReady();
}, 120_000);

afterAll(async () => {
  pool?.close();
  await undisturbed?.stop();
  await platform?.stop();
  await rm(stateDir, { recursive: true, force: true });
}, 60_000);

const startPlatform = () =>
  Platform.start({
    stateDir: join(stateDir, 'platform'),
    infra: 'embedded',
    services: ['registry', 'gateway', 'chain-indexer'],
    logLevel: 'warn',
  });

const codeOf = (path: string) =>
  client.json(path).then(
    () => 'answered',
    (error: unknown) => (error instanceof Problem ? error.document.code : error),
  );

const head = async () => Number(await pool.call('eth_blockNumber'));
/** Resolves when no block is made any more: all that was sent is final, or lost. */
async function untilAtRest(): Promise<number> {
  for (let before = await head(); ;) {
    await sleep(2_500);
    const now = await head();
    if (now === before) return now;
    before = now;
  }
}

/** Every row of every table of the chain, but how far the record goes beyond the last thing that happened. */
async function tablesOf(of: Platform): Promise<Readonly<Record<string, unknown>>> {
  const database = new pg.Client({ connectionString: of.databaseUrlOf('chain') });
  await database.connect();
  try {
    const { rows } = await database.query<{ name: string }>(
      `select table_name as "name" from information_schema.tables where table_schema = 'chain'
         and table_name not like '%\\_head' and table_name not in ('checkpoints')
         and table_name not like 'archive%' and table_name not like 'event%' order by 1`,
    );
    const tables: Record<string, unknown> = {};
    for (const { name } of rows) {
      const content = await database.query<{ rows: unknown }>(
        `select coalesce(json_agg(t order by t::text), '[]') as "rows" from chain."${name}" as t`,
      );
      tables[name] = content.rows[0]!.rows;
    }
    return tables;
  } finally {
    await database.end();
  }
}

test('what is on the chain is answered as of a block, and said to be final when it is', async () => {
  expect(await codeOf(`/v1/chain/escrow/${tenantId}`)).toBe('wallet_not_linked');
  await linkWallet(platform, { owner: 'tenant', ownerId: tenantId, apiKey });
  await deposit(platform, clientAddress, 7n);
  const balance = await untilFinal(client, tenantId);
  expect(balance).toMatchObject({ account: clientAddress, balanceAtto: '7', withdrawingAtto: '0' });
  expect(await client.json<EscrowBalance>(`/v1/chain/escrow/${clientAddress}`)).toMatchObject({
    balanceAtto: '7',
    final: true,
  });
  const known = await client.json<{ asOfBlock: number; finalBlock: number }>('/v1/chain/head');
  expect(known.asOfBlock).toBeGreaterThanOrEqual(known.finalBlock);
  expect(known.finalBlock).toBeGreaterThan(0);
});

test('the indexer says how far behind the head it is', async () => {
  const answer = await fetch(`${platform.urlOf('chain-indexer')}/health/chain`);
  const { state, headBlock, asOfBlock, lagBlocks } = (await answer.json()) as Record<string, number | string>;
  expect(state).toBe('following');
  expect(lagBlocks).toBe(Number(headBlock) - Number(asOfBlock));
  const ready = await fetch(`${platform.urlOf('chain-indexer')}/health/ready`);
  expect(await ready.json()).toMatchObject({ checks: { chain: 'up' } });
});

test('the protocol as it was deployed is answered', async () => {
  type List = { final: boolean; items: readonly Record<string, unknown>[] };
  const parameters = await client.json<List>('/v1/chain/parameters');
  expect(parameters.items).toHaveLength(17);
  expect(parameters.items).toContainEqual(
    expect.objectContaining({ parameter: 'feeBps', value: '250', final: true }),
  );
  const allocations = await client.json<List>('/v1/chain/allocations');
  const total = allocations.items.reduce((sum, { amountAtto }) => sum + BigInt(amountAtto as string), 0n);
  expect([allocations.items.length, allocations.final, total]).toEqual([7, true, 10n ** 28n]);
  const holder = allocations.items.find(({ name }) => name === 'liquidity')!['holder'];
  expect(await client.json(`/v1/chain/stakes/${holder as string}`)).toMatchObject({
    tokensAtto: String(5n * 10n ** 26n - 7n),
    providers: [],
    positions: [],
  });
  for (const list of ['batches', 'proposals', 'grants'])
    expect(await client.json(`/v1/chain/${list}?limit=1`)).toMatchObject({ final: true, items: [] });
});

test('an operator is told what a fault would cost, by its stake as it is', async () => {
  const { operatorId, apiKey: key } = await platform.administration().registerOperator('asks what it risks');
  const operator = new Client(platform.gatewayUrl, key);
  const refusal = () =>
    operator.json('/v1/faults').catch((error: unknown) => (error as Problem).document.code);
  // The gateway knows the key a moment later.
  while ((await refusal()) === 'credentials_invalid') await sleep(50);
  expect(await refusal()).toBe('wallet_not_linked');
  await linkWallet(platform, { owner: 'operator', ownerId: operatorId, apiKey: key });
  const address = localAddressOf(operatorId);
  type Terms = { items: readonly { costAtto: string; stakedAtto: string }[] };
  const terms = () => operator.json<Terms>('/v1/faults');
  const fault = { kind: 'refuted_result', role: 'operator', fractionBps: 500 };
  expect(await terms()).toMatchObject({
    ...{ rules: 'faults/1', address, bondAtto: String(100n * 10n ** 18n) },
    ...{ disputeWindowSeconds: 259_200, appealWindowSeconds: 259_200, appealTimeoutSeconds: 1_814_400 },
    items: [{ ...fault, stakedAtto: '0', costAtto: '0' }],
  });
  await stakeForOperator(platform, { id: operatorId, address, amountAtto: 1_000n * 10n ** 18n });
  while ((await terms()).items[0]!.stakedAtto === '0') await sleep(200);
  expect((await terms()).items).toEqual([
    { ...fault, stakedAtto: String(1_000n * 10n ** 18n), costAtto: String(50n * 10n ** 18n) },
  ]);
}, 60_000);

test('what is not there is refused', async () => {
  expect(await codeOf(`/v1/chain/batches/${someBatch}`)).toBe('batch_not_found');
  expect(await codeOf('/v1/chain/proposals/7')).toBe('proposal_not_found');
  expect(await codeOf('/v1/chain/stakes/nobody')).toBe('request_invalid');
  expect(await codeOf('/v1/chain/grants?cursor=x')).toBe('cursor_invalid');
  expect(await codeOf('/v1/chain/escrow/tenant_01h455vb4pex5vsknk084sn02q')).toBe('wallet_not_linked');
});

test('killed in the midst of deposits, chain and indexer come to what an undisturbed indexer reads', async () => {
  const indexerPid = platform.pid('chain-indexer');
  for (let round = 0; round < 4; round++) {
    await deposit(platform, clientAddress, 10n ** BigInt(round + 1));
    await sleep(150 * round);
    platform.kill('chain-indexer', 'SIGKILL');
    platform.signalServer('anvil', 'SIGKILL');
    await platform.untilReady('chain-indexer');
  }
  await deposit(platform, clientAddress, 1n);
  await untilAtRest();
  expect(platform.pid('chain-indexer')).not.toBe(indexerPid);

  undisturbed = await Platform.start({
    stateDir: join(stateDir, 'undisturbed'),
    infra: 'embedded',
    services: ['chain-indexer'],
    logLevel: 'warn',
    env: {
      'chain-indexer': {
        RPC_URL: platform.chain.rpcUrl,
        CHAIN_ADDRESSES_FILE: platform.chain.addressesFile,
      },
    },
  });
  await undisturbed.untilChainIsReady();
  // It has read all when it knows the last deposit to be final, which nothing came after.
  const isWhole = (tables: Readonly<Record<string, unknown>>) => {
    const [row] = (tables['escrow_balances'] ?? []) as { balance_atto: number; is_final: boolean }[];
    return row !== undefined && row.is_final && BigInt(row.balance_atto) % 10n === 8n;
  };
  let expected = await tablesOf(undisturbed);
  while (!isWhole(expected)) {
    await sleep(200);
    expected = await tablesOf(undisturbed);
  }
  let found = await tablesOf(platform);
  while (!isWhole(found)) {
    await sleep(200);
    found = await tablesOf(platform);
  }
  expect(Object.keys(found)).toContain('token_transfers');
  expect(found).toEqual(expected);
}, 180_000);

test('after a stop the platform goes on with the same chain, and deploys nothing anew', async () => {
  const before = {
    ...platform.chain,
    balance: await client.json<EscrowBalance>(`/v1/chain/escrow/${tenantId}`),
  };
  await platform.stop();
  platform = await startPlatform();
  await platform.untilChainIsReady();
  expect(platform.chain).toMatchObject({ rpcUrl: before.rpcUrl, addressesFile: before.addressesFile });
  await deposit(platform, clientAddress, 1n);
  const wanted = String(BigInt(before.balance.balanceAtto) + 1n);
  let balance = await client.json<EscrowBalance>(`/v1/chain/escrow/${tenantId}`);
  while (!(balance.final && balance.balanceAtto === wanted)) {
    await sleep(200);
    balance = await client.json<EscrowBalance>(`/v1/chain/escrow/${tenantId}`);
  }
  expect(balance.asOfBlock).toBeGreaterThan(before.balance.asOfBlock);
}, 120_000);
