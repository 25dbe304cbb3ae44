import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { interfaces } from '@astro/chain/logs/fact';
import { subjectOf } from '@astro/chain/staking/subject';
import { startPostgres, type PostgresServer } from '@astro/devstack/postgres/server';
import type { BlockIndexed, MirrorEvent } from '@astro/messages/chain';
import { openDatabase } from '@astro/postgres/database';
import { ProjectionRunner } from '@astro/postgres/projection-runner';
import { provision } from '@astro/postgres/provision';
import type { MikroORM } from '@mikro-orm/postgresql';
import { hashOf } from '../chain/any-log.fixture.js';
import { ValidatorNode } from './validator-nodes.js';
import { ValidatorRecord } from './validator-records.js';
import {
  ChainProgress,
  chainProgress,
  FinalBlock,
  firstFinalBlock,
  PendingBlock,
  stakesOn,
  ValidatorStake,
  validatorStakes,
} from './validator-stakes.js';
import { candidatesFor, pageOfValidators } from './validators.js';

const entities = [ChainProgress, FinalBlock, PendingBlock, ValidatorStake, ValidatorNode, ValidatorRecord];
let dir: string;
let server: PostgresServer;
let orm: MikroORM;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'astro-stakes-spec-'));
  chmodSync(dir, 0o755); // so that the server's own account can enter it
  server = await startPostgres({ dir });
  const schema = 'verification';
  const owners = [{ role: schema, password: schema, schema }];
  await provision(server.adminUrl, { database: 'spec', owners, reader: { role: 'reader', password: 'r' } });
  const url = new URL(server.adminUrl);
  [url.username, url.password, url.pathname] = [schema, schema, '/spec'];
  orm = await openDatabase({ url: url.href, schema, entities });
}, 60_000);

afterAll(async () => {
  await orm.close();
  await server.stop();
  rmSync(dir, { recursive: true, force: true });
});

beforeEach(async () => {
  const tables = entities.map(({ meta }) => `"verification"."${meta.tableName}"`);
  await orm.em.fork().execute(`truncate ${tables.join(', ')}, "verification"."checkpoints"`);
});

const [validator, operator] = [1, 0];
const account = (place: number) => `0x${place.toString(16).padStart(40, '0')}`;
const subject = subjectOf('node_1');
type Said = readonly [contract: 'staking' | 'parameters', name: string, values: readonly unknown[]];
const registered = (by: number, role = validator, of = subject): Said => [
  'staking',
  'Registered',
  [role, account(by), of],
];
const staked = (by: number, shares: bigint, role = validator): Said => [
  ...(['staking', 'Staked'] as const),
  [role, account(by), account(by), shares, shares],
];
const slashed = (by: number, factor: bigint): Said => [
  ...(['staking', 'Slashed'] as const),
  [validator, account(by), account(9), 1n, factor, 0n, 0n, 0n],
];
const unbonding = (by: number, shares: bigint): Said => [
  ...(['staking', 'Unbonding'] as const),
  [validator, account(by), account(by), 0n, shares, 0n],
];
const minimum = (atto: bigint): Said => ['parameters', 'ParameterSet', [3, 0n, atto]];

function block(number: number, said: readonly Said[], final = false): MirrorEvent {
  const logs = said.map(([contract, name, values], index): BlockIndexed['logs'][number] => {
    const { topics, data } = interfaces[contract].encodeEventLog(name, [...values]);
    const bytes = (hex: string) => new Uint8Array(Buffer.from(hex.slice(2), 'hex'));
    return {
      contract,
      index,
      transactionHash: new Uint8Array(32),
      topics: topics.map(bytes),
      data: bytes(data),
    };
  });
  const hashes = { hash: hashOf(number), parentHash: hashOf(number - 1) };
  return { type: 'BlockIndexed', data: { number, ...hashes, time: new Date(0), final, logs } };
}
const finalTo = (finalNumber: number): MirrorEvent => ({
  type: 'HeadFollowed',
  data: { number: finalNumber + 2, hash: hashOf(finalNumber + 2), finalNumber },
});
const reverted = (number: number): MirrorEvent => ({
  type: 'BlockReverted',
  data: { number, hash: hashOf(number), finalNumber: 0 },
});

let position = 0;
async function follow(...events: readonly MirrorEvent[]): Promise<void> {
  const runner = new ProjectionRunner(orm, validatorStakes);
  const metadata = { correlationId: 'c', causationId: 'c', actor: 'service:spec' };
  const aggregate = { type: 'chain.mirror', id: '1' } as const;
  await runner.apply(
    events.map(event => {
      position += 1;
      return { id: `event_${position}`, aggregate, event, position, recordedAt: new Date(0), metadata };
    }),
  );
}
const stake = async () => (await stakesOn(orm.em.fork(), [subject])).get(subject);

test('a stake counts once its block is final, and not before', async () => {
  await follow(block(5, [minimum(3n), registered(1), staked(1, 10n)]));
  expect([await stake(), await firstFinalBlock(orm.em.fork(), 1)]).toEqual([undefined, null]);
  await follow(finalTo(5));
  expect(await stake()).toBe(10n);
  expect(await chainProgress(orm.em.fork())).toMatchObject({
    finalNumber: 5,
    headNumber: 7,
    minimumAtto: 3n,
  });
  expect(await firstFinalBlock(orm.em.fork(), 3)).toMatchObject({ number: 5, hash: hashOf(5) });
});

test('what a reorganisation takes back never counted, and is never drawn from', async () => {
  await follow(block(5, [registered(1), staked(1, 10n)], true));
  await follow(block(6, [staked(1, 90n)]), reverted(6), block(7, [unbonding(1, 4n)]), finalTo(7));
  expect(await stake()).toBe(6n);
  expect(await firstFinalBlock(orm.em.fork(), 6)).toMatchObject({ number: 7 });
});

test('a slash takes its part, of validators alone; all who registered a subject stake for it', async () => {
  await follow(
    block(5, [registered(1), staked(1, 10n), registered(2), staked(2, 8n), registered(3, operator)], true),
    block(6, [staked(3, 50n, operator), slashed(1, 5n * 10n ** 26n)], true),
  );
  expect(await stake()).toBe(13n);
});

test('the same block again changes nothing', async () => {
  const first = block(5, [registered(1), staked(1, 10n)], true);
  await follow(first);
  for (const again of [first, first])
    await orm.em.fork().transactional(em => validatorStakes.apply(em, { event: again } as never));
  expect(await stake()).toBe(10n);
});

test('who is there and has enough at stake may be drawn, the highest stake first', async () => {
  const said = ['node_1', 'node_2', 'node_3', 'node_4'].flatMap((nodeId, index) => [
    registered(index + 1, validator, subjectOf(nodeId)),
    staked(index + 1, BigInt(index + 2)),
  ]);
  await follow(block(5, [minimum(3n), ...said], true));
  const em = orm.em.fork();
  for (const nodeId of ['node_1', 'node_2', 'node_3', 'node_4'])
    await em.insert(ValidatorNode, {
      ...{
        nodeId,
        operatorId: `of ${nodeId}`,
        subject: subjectOf(nodeId),
        runtimes: ['wasm'],
        validates: true,
      },
      ...{ isOnline: nodeId !== 'node_4', isRevoked: false, enrolledAt: new Date(0), position: 1 },
    });
  const candidates = await candidatesFor(orm.em.fork(), 'wasm', 10);
  expect(candidates.map(({ validatorId, stakeAtto }) => [validatorId, stakeAtto])).toEqual([
    ['node_3', 4n],
    ['node_2', 3n],
  ]);
  expect(await candidatesFor(orm.em.fork(), 'process', 10)).toEqual([]);
  const { items, nextCursor } = await pageOfValidators(orm.em.fork(), { limit: 2 });
  expect(items.map(({ nodeId, isActive }) => [nodeId, isActive])).toEqual([
    ['node_1', false],
    ['node_2', true],
  ]);
  expect((await pageOfValidators(orm.em.fork(), { limit: 2, cursor: nextCursor })).items).toHaveLength(2);
});
