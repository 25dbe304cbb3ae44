import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startNats, type NatsServer } from '@astro/devstack/nats/server';
import { startPostgres, type PostgresServer } from '@astro/devstack/postgres/server';
import { newId } from '@astro/event-sourcing/ids';
import type { Projection } from '@astro/event-sourcing/projection';
import { Bus } from '@astro/jetstream/bus';
import { EventStore } from '@astro/jetstream/event-store';
import { silent } from '@astro/jetstream/log';
import { ensureStreams } from '@astro/jetstream/streams';
import type { TenantEvent } from '@astro/messages/registry';
import { waitForPosition } from '@astro/postgres/checkpoints';
import { openDatabase } from '@astro/postgres/database';
import { provision } from '@astro/postgres/provision';
import { tableOf } from '@astro/postgres/stage';
import { defineEntity, type EntityManager, type EntitySchema, type MikroORM } from '@mikro-orm/postgresql';
import { ProjectionLane } from './projection-lane.js';

const TenantName = defineEntity({
  name: 'TenantName',
  schema: 'registry',
  tableName: 'tenant_names',
  properties: p => ({ tenantId: p.text().primary(), name: p.text(), times: p.integer() }),
});

const TenantInitial = defineEntity({
  name: 'TenantName',
  schema: 'registry',
  tableName: 'tenant_names',
  properties: p => ({ tenantId: p.text().primary(), initial: p.text() }),
});

/** Counts how often it applied an event, so that a repetition shows. */
const names: Projection<TenantEvent, EntityManager> = {
  name: 'registry.tenant-names',
  version: 1,
  tables: ['tenant_names'],
  reads: ['registry.tenant'],
  apply: (em, { event: { data } }) =>
    em.execute(
      `insert into ${tableOf(em, TenantName)} as t values (?, ?, 1)
       on conflict ("tenant_id") do update set "times" = t."times" + 1`,
      [data.tenantId, data.name],
    ),
};

const initials: Projection<TenantEvent, EntityManager> = {
  ...names,
  version: 2,
  apply: (em, { event: { data } }) =>
    em.execute(`insert into ${tableOf(em, TenantInitial)} values (?, ?)`, [data.tenantId, data.name[0]]),
};

const waitLimitMs = 30_000;
const metadata = { correlationId: 'spec', causationId: 'spec', actor: 'service:spec' };

let dir: string;
let postgres: PostgresServer;
let nats: NatsServer;
let bus: Bus;
let orm: MikroORM;
const running: ProjectionLane[] = [];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'astro-projection-lane-spec-'));
  chmodSync(dir, 0o755); // so that the database server's own account can enter it
  for (const folder of ['nats', 'postgres']) mkdirSync(join(dir, folder));
  nats = await startNats({ dir: join(dir, 'nats') });
  postgres = await startPostgres({ dir: join(dir, 'postgres') });
  await provision(postgres.adminUrl, {
    database: 'spec',
    owners: [{ role: 'registry', password: 'registry', schema: 'registry' }],
    reader: { role: 'gateway', password: 'gateway' },
  });
  bus = await Bus.connect({ servers: nats.url, name: 'spec' });
  await ensureStreams(bus);
});

afterAll(async () => {
  await bus.close();
  await nats.stop();
  await postgres.stop();
  rmSync(dir, { recursive: true, force: true });
});

beforeEach(async () => {
  orm = await open(names, TenantName);
});

afterEach(async () => {
  await Promise.all(running.splice(0).map(lane => lane.stop()));
  await orm.em.fork().execute('drop table registry.tenant_names; truncate registry.checkpoints');
  await orm.close();
});

function url(): string {
  const as = new URL(postgres.adminUrl);
  [as.username, as.password, as.pathname] = ['registry', 'registry', '/spec'];
  return as.href;
}

const open = (projection: typeof names, entity: EntitySchema) =>
  openDatabase({ url: url(), schema: 'registry', entities: [entity], projections: [projection] });

async function run(projection = names, on = orm, entity: EntitySchema = TenantName): Promise<ProjectionLane> {
  const lane = new ProjectionLane({ bus, orm: on, projection, url: url(), entities: [entity], log: silent });
  running.push(lane);
  await lane.start();
  return lane;
}

/** @returns the position of the last one */
async function register(count: number): Promise<number> {
  const store = new EventStore(bus);
  const positions = await Promise.all(
    Array.from({ length: count }, async () => {
      const id = newId('tenant');
      const event = { type: 'TenantRegistered', data: { tenantId: id, name: 'Ada' } };
      const options = { expectedPosition: 0, commandId: newId('cmd'), metadata };
      return (await store.append({ type: 'registry.tenant', id }, [event], options)).position;
    }),
  );
  return Math.max(...positions);
}

const rows = () => orm.em.fork().execute<{ times: number }[]>('select * from registry.tenant_names');
const reached = (position: number) => waitForPosition(orm.em.fork(), names.name, position, waitLimitMs);

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + waitLimitMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('it did not happen');
    await sleep(20);
  }
}

test('two runners of one projection apply every event once while events keep coming, and stay healthy', async () => {
  const other = await open(names, TenantName);
  const lanes = [await run(), await run(names, other)];
  let last = 0;
  for (let round = 0; round < 10; round++) last = await register(100);
  expect(await reached(last)).toBe(true);
  const found = await rows();
  expect(found.length).toBeGreaterThanOrEqual(1_000);
  expect(found.filter(({ times }) => times !== 1)).toEqual([]);
  expect(lanes.map(({ healthy }) => healthy)).toEqual([true, true]);
  await Promise.all(running.splice(0).map(lane => lane.stop()));
  await other.close();
});

test('a projection whose events are large takes no more of them at once than it says', async () => {
  const sizes: number[] = [];
  const applyBatch: Projection<TenantEvent, EntityManager>['applyBatch'] = async (em, batch) => {
    sizes.push(batch.length);
    for (const recorded of batch) await names.apply(em, recorded);
  };
  const last = await register(50);
  await run({ ...names, maxBatch: 7, applyBatch });
  expect(await reached(last)).toBe(true);
  expect((await rows()).length).toBeGreaterThanOrEqual(50);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(7);
});

test('a projection tells how far it is behind its stream', async () => {
  const lane = new ProjectionLane({
    bus,
    orm,
    projection: names,
    url: url(),
    entities: [TenantName],
    log: silent,
  });
  const last = await register(5);
  expect(await lane.report()).toMatchObject({ version: 1, position: 0, lastPosition: last, lag: last });
  running.push(lane);
  await lane.start();
  expect(await reached(last)).toBe(true);
  const report = { name: names.name, state: 'live', version: 1, position: last, lastPosition: last, lag: 0 };
  expect(await lane.report()).toEqual(report);
});

test('a later version is filled beside the earlier one, which stands back when it takes over', async () => {
  const old = await run();
  expect(await reached(await register(20))).toBe(true);
  const before = await rows();
  const next = await open(initials, TenantInitial);
  const lane = await run(initials, next, TenantInitial);
  await until(async () => (await lane.report()).version === 2);
  const last = await register(3);
  expect(await reached(last)).toBe(true);
  const after = await rows();
  expect(after).toHaveLength(before.length + 3);
  expect(after[0]).toEqual({ tenant_id: expect.any(String), initial: 'A' });
  await until(async () => (await old.report()).state === 'superseded');
  expect(await lane.report()).toMatchObject({ state: 'live', lag: 0 });
  expect([old.healthy, lane.healthy]).toEqual([true, true]);
  await Promise.all(running.splice(0).map(each => each.stop()));
  await next.close();
});

test('a version that cannot be filled leaves the earlier one serving, and says so', async () => {
  await run();
  expect(await reached(await register(2))).toBe(true);
  const broken = { ...initials, apply: () => Promise.reject(new Error('cannot')) };
  const next = await open(broken, TenantInitial);
  const lane = await run(broken, next, TenantInitial);
  await until(() => Promise.resolve(!lane.healthy));
  expect(await reached(await register(2))).toBe(true);
  expect(await lane.report()).toMatchObject({ state: 'filling', version: 1, lag: 0 });
  await Promise.all(running.splice(0).map(each => each.stop()));
  await next.close();
});
