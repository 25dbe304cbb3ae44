import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Escrow__factory } from '@astro/chain/gen/factories/Escrow__factory';
import { startNats, type NatsServer } from '@astro/devstack/nats/server';
import { startPostgres, type PostgresServer } from '@astro/devstack/postgres/server';
import { Bus } from '@astro/jetstream/bus';
import { EventStore } from '@astro/jetstream/event-store';
import { ensureStreams } from '@astro/jetstream/streams';
import type { BlockIndexed, MirrorEvent } from '@astro/messages/chain';
import { openDatabase } from '@astro/postgres/database';
import { ProjectionRunner } from '@astro/postgres/projection-runner';
import { provision } from '@astro/postgres/provision';
import { escrowOf, pageOfBatches, pageOfClaims } from '@astro/read-models/chain/escrow';
import { fill } from '@astro/runtime/fill';
import type { MikroORM } from '@mikro-orm/postgresql';
import { rebuild, verify, type Platform } from './projections.js';
import { readModels } from './read-models.js';

const escrow = readModels.find(({ projection }) => projection.name === 'chain.escrow')!;
const logs = Escrow__factory.createInterface();
const [tenant, payer] = ['0a', '0b'].map(byte => `0x${byte.repeat(20)}`) as [string, string];
const batches = ['01', '02', '03'].map(byte => `0x${byte.repeat(32)}`);
const metadata = { correlationId: 'spec', causationId: 'spec', actor: 'service:spec' };
const quietly = () => undefined;

let dir: string;
let postgres: PostgresServer;
let nats: NatsServer;
let bus: Bus;
let platform: Platform;
let chain: MikroORM;

const bytes = (hex: string): Uint8Array => Buffer.from(hex.slice(2), 'hex');
const hashOf = (number: number, fork: string): string => `0x${fork}${number.toString(16).padStart(62, '0')}`;

type Log = readonly [event: 'Deposited' | 'Settled' | 'Claimed', values: readonly unknown[]];

function block(number: number, fork: string, final: boolean, ...happened: readonly Log[]): MirrorEvent {
  const data: BlockIndexed = {
    number,
    final,
    hash: hashOf(number, fork),
    parentHash: hashOf(number - 1, fork),
    time: new Date(number * 1_000),
    logs: happened.map(([event, values], index) => {
      const encoded = logs.encodeEventLog(event, values as [string, string, bigint]);
      return {
        contract: 'escrow',
        index,
        transactionHash: bytes(hashOf(index, 'ff')),
        topics: encoded.topics.map(bytes),
        data: bytes(encoded.data),
      };
    }),
  };
  return { type: 'BlockIndexed', data };
}

const deposited = (amount: bigint): Log => ['Deposited', [tenant, payer, amount]];
const settled = (batch: string): Log => ['Settled', [batch, hashOf(9, 'aa'), 100n, 90n, 2n, 8n]];
const claimed = (batch: string, index: bigint): Log => ['Claimed', [batch, index, payer, 10n]];

/** Two blocks that stay, one that is taken back, and what came in its place. */
const history: readonly MirrorEvent[] = [
  block(5, '00', true, deposited(100n), ...batches.map(settled)),
  block(6, '00', false, deposited(20n), claimed(batches[0]!, 0n)),
  { type: 'BlockReverted', data: { number: 6, hash: hashOf(6, '00'), finalNumber: 5 } },
  { type: 'HeadFollowed', data: { number: 5, hash: hashOf(5, '00'), finalNumber: 5 } },
  block(6, '01', false, deposited(3n), claimed(batches[1]!, 1n), claimed(batches[1]!, 2n)),
  { type: 'HeadFollowed', data: { number: 7, hash: hashOf(7, '01'), finalNumber: 5 } },
];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'astro-chain-models-'));
  chmodSync(dir, 0o755); // so that the database server's own account can enter it
  for (const folder of ['nats', 'postgres']) mkdirSync(join(dir, folder));
  nats = await startNats({ dir: join(dir, 'nats') });
  postgres = await startPostgres({ dir: join(dir, 'postgres') });
  const owners = [{ role: 'chain', password: 'chain', schema: 'chain' }];
  await provision(postgres.adminUrl, {
    database: 'spec',
    owners,
    reader: { role: 'gateway', password: 'g' },
  });
  bus = await Bus.connect({ servers: nats.url, name: 'spec' });
  await ensureStreams(bus);
  const url = new URL(postgres.adminUrl);
  [url.username, url.password, url.pathname] = ['chain', 'chain', '/spec'];
  platform = { bus, databaseUrlOf: () => url.href };
  chain = await openDatabase({ url: url.href, schema: 'chain', entities: escrow.entities });
  await append(history, 0);
  const runner = new ProjectionRunner(chain, escrow.projection);
  await fill({ bus, projection: escrow.projection, runner });
}, 60_000);

afterAll(async () => {
  await chain.close();
  await bus.close();
  await nats.stop();
  await postgres.stop();
  rmSync(dir, { recursive: true, force: true });
});

const append = (events: readonly MirrorEvent[], expectedPosition: number) =>
  new EventStore(bus).append({ type: 'chain.mirror', id: '31337' }, events, {
    expectedPosition,
    commandId: `cmd_${expectedPosition}`,
    metadata,
  });

const answers = async () => {
  const em = () => chain.em.fork();
  return {
    balance: await escrowOf(em(), tenant.toUpperCase().replace('0X', '0x')),
    nobody: await escrowOf(em(), payer),
    firstBatches: await pageOfBatches(em(), { limit: 2 }),
    claims: await pageOfClaims(em(), batches[1]!, { limit: 10 }),
    takenBack: await pageOfClaims(em(), batches[0]!, { limit: 10 }),
  };
};

test('an answer is as of the block that is known, and final where nothing in it can be taken back', async () => {
  const { balance, nobody, firstBatches, claims, takenBack } = await answers();
  expect(balance).toMatchObject({
    asOfBlock: 7,
    isFinal: false,
    rows: [{ tenant, balanceAtto: 103n, asOfBlock: 6, isFinal: false }],
  });
  expect(nobody).toEqual({ asOfBlock: 7, isFinal: true, rows: [] });
  expect(claims!.rows.map(({ id }) => id)).toEqual([`${batches[1]}/1`, `${batches[1]}/2`]);
  expect(takenBack!.rows).toEqual([]);
  expect(firstBatches).toMatchObject({
    isFinal: false,
    rows: [{ batch: batches[0] }, { batch: batches[1] }],
  });
  const cursor = firstBatches!.nextCursor!;
  const rest = await pageOfBatches(chain.em.fork(), { limit: 2, cursor });
  expect(rest).toMatchObject({ isFinal: true, rows: [{ batch: batches[2] }] });
  expect(rest).not.toHaveProperty('nextCursor');
});

test('a rebuild over a reverted block comes to the same, and the old tables answer until it is there', async () => {
  expect(await verify(platform, escrow, quietly)).toEqual({ position: 6, differences: [] });
  const before = await answers();
  const meanwhile: unknown[] = [];
  const reading: Promise<void>[] = [];
  await rebuild(
    platform,
    escrow,
    () => void reading.push(answers().then(found => void meanwhile.push(found))),
  );
  await Promise.all(reading);
  expect(meanwhile.length).toBeGreaterThan(0);
  for (const found of meanwhile) expect(found).toEqual(before);
  expect(await answers()).toEqual(before);
  expect(await verify(platform, escrow, quietly)).toEqual({ position: 6, differences: [] });
});

test('what became final since is final in the tables that were filled anew', async () => {
  await append([{ type: 'HeadFollowed', data: { number: 8, hash: hashOf(8, '01'), finalNumber: 6 } }], 6);
  await rebuild(platform, escrow, quietly);
  expect(await escrowOf(chain.em.fork(), tenant)).toMatchObject({ asOfBlock: 8, isFinal: true });
});
