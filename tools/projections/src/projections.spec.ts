import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNats, type NatsServer } from '@astro/devstack/nats/server';
import { startPostgres, type PostgresServer } from '@astro/devstack/postgres/server';
import { newId } from '@astro/event-sourcing/ids';
import { Bus } from '@astro/jetstream/bus';
import { EventStore } from '@astro/jetstream/event-store';
import { ensureStreams } from '@astro/jetstream/streams';
import { openDatabase } from '@astro/postgres/database';
import { ProjectionRunner } from '@astro/postgres/projection-runner';
import { provision } from '@astro/postgres/provision';
import { fill } from '@astro/runtime/fill';
import type { MikroORM } from '@mikro-orm/postgresql';
import { list, rebuild, verify, type Platform } from './projections.js';
import { readModels } from './read-models.js';
import { readRequest } from './request.js';

const contexts = ['registry', 'scheduling', 'billing', 'verification', 'chain'];
const balances = readModels.find(({ projection }) => projection.name === 'billing.balances')!;
const metadata = { correlationId: 'spec', causationId: 'spec', actor: 'service:spec' };
const quietly = () => undefined;

let dir: string;
let postgres: PostgresServer;
let nats: NatsServer;
let bus: Bus;
let platform: Platform;
const databases = new Map<string, MikroORM>();

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'astro-projections-spec-'));
  chmodSync(dir, 0o755); // so that the database server's own account can enter it
  for (const folder of ['nats', 'postgres']) mkdirSync(join(dir, folder));
  nats = await startNats({ dir: join(dir, 'nats') });
  postgres = await startPostgres({ dir: join(dir, 'postgres') });
  const owners = contexts.map(context => ({ role: context, password: context, schema: context }));
  const reader = { role: 'gateway', password: 'gateway' };
  await provision(postgres.adminUrl, { database: 'spec', owners, reader });
  bus = await Bus.connect({ servers: nats.url, name: 'spec' });
  await ensureStreams(bus);
  platform = { bus, databaseUrlOf };
  for (const schema of contexts) {
    const own = readModels.filter(({ projection }) => projection.name.startsWith(`${schema}.`));
    const entities = own.flatMap(model => model.entities);
    databases.set(schema, await openDatabase({ url: databaseUrlOf(schema), schema, entities }));
  }
  for (let credits = 0; credits < 50; credits++) await credit(newId('tenant'));
  await fill({
    bus,
    projection: balances.projection,
    runner: new ProjectionRunner(billing(), balances.projection),
  });
});

afterAll(async () => {
  await Promise.all([...databases.values()].map(orm => orm.close()));
  await bus.close();
  await nats.stop();
  await postgres.stop();
  rmSync(dir, { recursive: true, force: true });
});

const billing = () => databases.get('billing')!;

function databaseUrlOf(context: string): string {
  const url = new URL(postgres.adminUrl);
  [url.username, url.password, url.pathname] = [context, context, '/spec'];
  return url.href;
}

async function credit(tenantId: string): Promise<void> {
  const postings = [
    { account: 'escrow:custody', amountAtto: -7n },
    { account: `tenant:${tenantId}:available`, amountAtto: 7n },
  ];
  const event = { type: 'AccountCredited', data: { tenantId, creditId: newId('credit'), postings } };
  const options = { expectedPosition: 0, commandId: newId('cmd'), metadata };
  await new EventStore(bus).append({ type: 'billing.account', id: tenantId }, [event], options);
}

test('every projection is listed, with how far it is behind its stream', async () => {
  const lines = await list(platform);
  expect(lines.map(({ name }) => name).toSorted()).toEqual(
    readModels.map(({ projection }) => projection.name).toSorted(),
  );
  expect(lines).toContainEqual({
    name: 'billing.balances',
    version: balances.projection.version,
    position: 50,
    lag: 0,
  });
  expect(lines).toContainEqual({ name: 'billing.ledger', version: undefined, position: 0, lag: 50 });
});

test('rows that differ from what the stream says are named, and mended by a rebuild', async () => {
  expect(await verify(platform, balances, quietly)).toEqual({ position: 50, differences: [] });
  await billing()
    .em.fork()
    .execute(
      `update billing.balances set balance_atto = 0 where account = 'escrow:custody';
     insert into billing.balances values ('operator:x:earned', 5, 1)`,
    );
  const table = 'billing.balances';
  expect((await verify(platform, balances, quietly)).differences).toEqual([
    { table, key: { account: 'escrow:custody' }, kind: 'different', columns: ['balance_atto'] },
    { table, key: { account: 'operator:x:earned' }, kind: 'unfounded', columns: [] },
  ]);
  const told: number[] = [];
  await rebuild(platform, balances, ({ events }) => told.push(events));
  expect(told.at(-1)).toBe(50);
  expect(await verify(platform, balances, quietly)).toEqual({ position: 50, differences: [] });
});

test('what the projection has not applied yet is no difference', async () => {
  await credit(newId('tenant'));
  expect(await verify(platform, balances, quietly)).toEqual({ position: 50, differences: [] });
  await rebuild(platform, balances, quietly);
  expect(await list(platform)).toContainEqual({
    name: 'billing.balances',
    version: balances.projection.version,
    position: 51,
    lag: 0,
  });
});

test('nothing of a verification is left behind', async () => {
  await verify(platform, balances, quietly);
  const left = await billing()
    .em.fork()
    .execute(
      `select table_schema as schema, table_name as name from information_schema.tables
      where table_schema in ('billing_next', 'billing_scratch') and table_name <> 'checkpoints'`,
    );
  expect(left).toEqual([]);
});

test.each([
  [[], 'A command is missing.'],
  [['drop'], 'There is no command drop.'],
  [['rebuild'], 'The name is missing'],
  [['verify', 'billing.balance'], 'There is no projection billing.balance; there are registry.tenants,'],
  [['list', 'all'], 'What does all mean?'],
])('%j is not understood', (args, problem) => {
  expect(() => readRequest(args)).toThrow(problem);
});
