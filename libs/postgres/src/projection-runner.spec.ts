import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres, type PostgresServer } from '@astro/devstack/postgres/server';
import type { Message } from '@astro/event-sourcing/decider';
import type { Projection } from '@astro/event-sourcing/projection';
import type { Recorded } from '@astro/event-sourcing/recorded';
import { defineEntity, type EntityManager, type MikroORM } from '@mikro-orm/postgresql';
import { Atto } from './atto.js';
import { readPosition, waitForPosition } from './checkpoints.js';
import { maxConnections, openDatabase, openReader } from './database.js';
import { ProjectionRunner, StaleCheckpoint } from './projection-runner.js';
import { provision } from './provision.js';

/** Counts without any care for repetition, so that only the checkpoint keeps it right. */
const Total = defineEntity({
  name: 'Total',
  schema: 'billing',
  tableName: 'totals',
  properties: p => ({ name: p.text().primary(), sumAtto: p.type(Atto) }),
});

type Added = Message<'Added', { readonly amountAtto: bigint }>;

const totals: Projection<Added, EntityManager> = {
  name: 'billing.totals',
  version: 1,
  tables: ['totals'],
  reads: ['billing.account'],
  async apply(em, { event: { data } }) {
    if (data.amountAtto < 0n) throw new Error('cannot add this');
    const total = await em.findOne(Total, { name: 'all' });
    await em.upsert(Total, { name: 'all', sumAtto: (total?.sumAtto ?? 0n) + data.amountAtto });
  },
};

const added = (position: number, amountAtto = 1n): Recorded<Added> => ({
  id: `event_${position}`,
  aggregate: { type: 'billing.account', id: 'a' },
  event: { type: 'Added', data: { amountAtto } },
  position,
  recordedAt: new Date(position),
  metadata: { correlationId: 'c', causationId: 'c', actor: 'service:spec' },
});

let dir: string;
let server: PostgresServer;
let url: string;
let orm: MikroORM;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'astro-projection-spec-'));
  chmodSync(dir, 0o755); // so that the server's own account can enter it
  server = await startPostgres({ dir });
  const owners = [
    { role: 'billing', password: 'billing', schema: 'billing' },
    { role: 'registry', password: 'registry', schema: 'registry' },
  ];
  const reader = { role: 'gateway', password: 'gateway' };
  await provision(server.adminUrl, { database: 'spec', owners, reader });
  url = urlAs('billing');
  orm = await openDatabase({ url, schema: 'billing', entities: [Total] });
});

afterAll(async () => {
  await orm.close();
  await server.stop();
  rmSync(dir, { recursive: true, force: true });
});

beforeEach(async () => {
  await orm.em.fork().execute('truncate billing.totals, billing.checkpoints');
});

function urlAs(role: string): string {
  const as = new URL(server.adminUrl);
  [as.username, as.password, as.pathname] = [role, role, '/spec'];
  return as.href;
}

const sum = async () => (await orm.em.fork().findOne(Total, { name: 'all' }))?.sumAtto;
const position = () => readPosition(orm.em.fork(), totals.name);

test('a batch and its checkpoint are committed together', async () => {
  const runner = new ProjectionRunner(orm, totals);
  await runner.apply([added(3, 10n ** 30n), added(7)]);
  expect(await sum()).toBe(10n ** 30n + 1n);
  expect(await position()).toBe(7);
});

test('what was applied before is skipped', async () => {
  const runner = new ProjectionRunner(orm, totals);
  await runner.apply([added(1), added(2)]);
  await runner.apply([added(1), added(2), added(3)]);
  await new ProjectionRunner(orm, totals).apply([added(2), added(3)]);
  expect(await sum()).toBe(3n);
});

test('a batch that fails leaves nothing behind and says where it failed', async () => {
  const runner = new ProjectionRunner(orm, totals);
  const failed = runner.apply([added(1), added(2, -1n), added(3)]);
  await expect(failed).rejects.toMatchObject({
    name: 'ProjectionFailed',
    position: 2,
    retryable: false,
    cause: new Error('cannot add this'),
  });
  expect(await sum()).toBeUndefined();
  expect(await position()).toBe(0);
  await runner.apply([added(1)]);
  expect(await sum()).toBe(1n);
});

test('a runner whose checkpoint was moved by another stops, reads again and goes on', async () => {
  const [one, other] = [new ProjectionRunner(orm, totals), new ProjectionRunner(orm, totals)];
  expect(await one.position()).toBe(0);
  expect(await other.position()).toBe(0);
  await one.apply([added(1), added(2)]);
  await expect(other.apply([added(1), added(2), added(3)])).rejects.toBeInstanceOf(StaleCheckpoint);
  expect(await sum()).toBe(2n);
  await other.apply([added(1), added(2), added(3)]);
  expect(await sum()).toBe(3n);
});

test('of two runners at the same moment, one applies each event', async () => {
  const runners = [new ProjectionRunner(orm, totals), new ProjectionRunner(orm, totals)];
  const batch = Array.from({ length: 20 }, (_, index) => added(index + 1));
  const results = await Promise.allSettled(runners.map(runner => runner.apply(batch)));
  expect(results.map(({ status }) => status)).toContain('fulfilled');
  expect(await sum()).toBe(20n);
  expect(await position()).toBe(20);
});

test('two runners under load apply each event once, whatever batches they are given', async () => {
  const events = Array.from({ length: 600 }, (_, index) => added(index + 1));
  let lost = 0;
  const run = async (batchSize: number) => {
    const runner = new ProjectionRunner(orm, totals);
    for (let from = 0; from < events.length;) {
      try {
        await runner.apply(events.slice(from, from + batchSize));
        from += batchSize;
      } catch (cause) {
        if (!(cause instanceof StaleCheckpoint)) throw cause;
        lost += 1; // the same batch again, as a lane does
      }
    }
  };
  await Promise.all([run(3), run(5)]);
  expect(await sum()).toBe(600n);
  expect(await position()).toBe(600);
  expect(lost).toBeGreaterThan(0); // else they never met
});

test('a batch that is applied at once is as much one with its checkpoint as one applied event by event', async () => {
  const atOnce: Projection<Added, EntityManager> = {
    ...totals,
    apply: () => Promise.reject(new Error('not one by one')),
    async applyBatch(em, batch) {
      for (const recorded of batch) await totals.apply(em, recorded);
      if (batch.some(({ position }) => position === 4)) throw new Error('not this batch');
    },
  };
  const runner = new ProjectionRunner(orm, atOnce);
  await runner.apply([added(1), added(2)]);
  await expect(runner.apply([added(2), added(3), added(4)])).rejects.toMatchObject({ position: 4 });
  expect(await sum()).toBe(2n);
  expect(await position()).toBe(2);
});

test('a read waits for its write while the projection is paused, and no longer than it may', async () => {
  const runner = new ProjectionRunner(orm, totals);
  await runner.apply([added(1)]);
  const reading = orm.em.fork();
  expect(await waitForPosition(reading, totals.name, 2, 100)).toBe(false);
  const waiting = waitForPosition(reading, totals.name, 2, 20_000).then(async seen => ({
    seen,
    sum: await sum(),
  }));
  await runner.apply([added(2)]);
  expect(await waiting).toEqual({ seen: true, sum: 2n });
});

test('a runner stands back when a later version of its projection has taken over', async () => {
  const runner = new ProjectionRunner(orm, totals);
  await runner.apply([added(1)]);
  await orm.em.fork().execute('update billing.checkpoints set version = 2');
  await expect(runner.apply([added(2)])).rejects.toBeInstanceOf(StaleCheckpoint);
  await expect(runner.apply([added(2)])).rejects.toMatchObject({ name: 'Superseded', liveVersion: 2 });
  expect(await sum()).toBe(1n);
});

test('events out of order are refused, because the later one would hide the earlier', async () => {
  const runner = new ProjectionRunner(orm, totals);
  await expect(runner.apply([added(2), added(1)])).rejects.toThrow('position 1 after 2');
});

test('a lost connection is retryable, and leaves a place in the pool for the next', async () => {
  const runner = new ProjectionRunner(orm, {
    ...totals,
    apply: em => em.execute('select pg_terminate_backend(pg_backend_pid())'),
  });
  for (let losses = 0; losses < 2 * maxConnections; losses++) {
    await expect(runner.apply([added(1)])).rejects.toMatchObject({
      name: 'ProjectionFailed',
      retryable: true,
    });
  }
  expect(await position()).toBe(0);
});

test('one can wait until a read model has come far enough', async () => {
  const runner = new ProjectionRunner(orm, totals);
  const waiting = waitForPosition(orm.em.fork(), totals.name, 2, 10_000);
  await runner.apply([added(1), added(2)]);
  expect(await waiting).toBe(true);
  expect(await waitForPosition(orm.em.fork(), totals.name, 3, 50)).toBe(false);
});

test('instances that start at once agree on the tables, and keep what is in them', async () => {
  await new ProjectionRunner(orm, totals).apply([added(1)]);
  const Wider = defineEntity({
    name: 'Total',
    schema: 'billing',
    tableName: 'totals',
    properties: p => ({ name: p.text().primary(), sumAtto: p.type(Atto), note: p.text().nullable() }),
  });
  const open = () => openDatabase({ url, schema: 'billing', entities: [Wider] });
  const instances = await Promise.all([open(), open(), open()]);
  const rows = await instances[0].em.fork().findAll(Wider);
  expect(rows).toMatchObject([{ name: 'all', sumAtto: 1n, note: null }]);
  await Promise.all(instances.map(instance => instance.close()));
});

test('a service leaves the tables of another alone and may not declare them as its own', async () => {
  const registry = await openDatabase({ url: urlAs('registry'), schema: 'registry', entities: [] });
  await registry.close();
  const schemas = await orm.em.fork().execute(
    `select table_schema as schema, table_name as name from information_schema.tables
      where table_schema in ('billing', 'registry') order by 1, 2`,
  );
  expect(schemas).toEqual([
    { schema: 'billing', name: 'checkpoints' },
    { schema: 'billing', name: 'totals' },
  ]); // the information schema shows only what the role may touch
  await expect(openDatabase({ url, schema: 'registry', entities: [Total] })).rejects.toThrow(
    'another schema: Total',
  );
});

test('the reader sees rows and cannot change them', async () => {
  await new ProjectionRunner(orm, totals).apply([added(1)]);
  const reader = await openReader({ url: urlAs('gateway'), entities: [Total] });
  expect(await reader.em.fork().findAll(Total)).toMatchObject([{ sumAtto: 1n }]);
  expect(await readPosition(reader.em.fork(), totals.name)).toBe(1);
  const write = reader.em.fork().nativeUpdate(Total, { name: 'all' }, { sumAtto: 0n });
  await expect(write).rejects.toMatchObject({ code: '42501' });
  await reader.close();
});
