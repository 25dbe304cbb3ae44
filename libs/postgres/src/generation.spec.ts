import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres, type PostgresServer } from '@astro/devstack/postgres/server';
import type { Message } from '@astro/event-sourcing/decider';
import type { Projection } from '@astro/event-sourcing/projection';
import type { Recorded } from '@astro/event-sourcing/recorded';
import { defineEntity, type EntityManager, type MikroORM } from '@mikro-orm/postgresql';
import { readCheckpoint } from './checkpoints.js';
import { copyLiveTables, differencesIn, dropCopies } from './comparison.js';
import { openDatabase, openReader } from './database.js';
import { Generation } from './generation.js';
import { ProjectionRunner, StaleCheckpoint } from './projection-runner.js';
import { provision } from './provision.js';
import { tableOf } from './stage.js';

const Seen = defineEntity({
  name: 'Seen',
  schema: 'billing',
  tableName: 'seen',
  properties: p => ({ id: p.text().primary(), times: p.integer().index() }),
});

/** The next version tells by whom as well. */
const SeenBy = defineEntity({
  name: 'Seen',
  schema: 'billing',
  tableName: 'seen',
  properties: p => ({ id: p.text().primary(), times: p.integer().index(), actor: p.text() }),
});

type Sighted = Message<'Sighted', { readonly id: string }>;

/** Counts without any care for repetition, so that only the checkpoint keeps it right. */
const seen: Projection<Sighted, EntityManager> = {
  name: 'billing.seen',
  version: 1,
  tables: ['seen'],
  reads: ['billing.account'],
  apply: (em, { event: { data } }) =>
    em.execute(
      `insert into ${tableOf(em, Seen)} as s ("id", "times") values (?, 1)
       on conflict ("id") do update set "times" = s."times" + 1`,
      [data.id],
    ),
};

const seenBy: Projection<Sighted, EntityManager> = {
  ...seen,
  version: 2,
  apply: (em, { event: { data }, metadata: { actor } }) =>
    em.execute(
      `insert into ${tableOf(em, SeenBy)} as s ("id", "times", "actor") values (?, 1, ?)
       on conflict ("id") do update set "times" = s."times" + 1`,
      [data.id, actor],
    ),
};

const sighted = (position: number): Recorded<Sighted> => ({
  id: `event_${position}`,
  aggregate: { type: 'billing.account', id: 'a' },
  event: { type: 'Sighted', data: { id: `id_${position % 10}` } },
  position,
  recordedAt: new Date(position),
  metadata: { correlationId: 'c', causationId: 'c', actor: 'service:spec' },
});
const history = (to: number, from = 1) =>
  Array.from({ length: to - from + 1 }, (_, index) => sighted(from + index));

let dir: string;
let server: PostgresServer;
let live: MikroORM;
let reader: MikroORM;
const opened: Generation[] = [];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'astro-generation-spec-'));
  chmodSync(dir, 0o755); // so that the server's own account can enter it
  server = await startPostgres({ dir });
  await provision(server.adminUrl, {
    database: 'spec',
    owners: [{ role: 'billing', password: 'billing', schema: 'billing' }],
    reader: { role: 'gateway', password: 'gateway' },
  });
});

afterAll(async () => {
  await server.stop();
  rmSync(dir, { recursive: true, force: true });
});

beforeEach(async () => {
  live = await openDatabase({ url: urlAs('billing'), schema: 'billing', entities: [Seen] });
  reader = await openReader({ url: urlAs('gateway'), entities: [Seen] });
});

afterEach(async () => {
  await Promise.all(opened.splice(0).map(generation => generation.close()));
  await reader.close();
  await live.em.fork().execute('drop table billing.seen; truncate billing.checkpoints');
  await live.close();
});

function urlAs(role: string): string {
  const as = new URL(server.adminUrl);
  [as.username, as.password, as.pathname] = [role, role, '/spec'];
  return as.href;
}

async function open(projection = seen, resume = false): Promise<Generation> {
  const entities = [projection.version === 1 ? Seen : SeenBy];
  const generation = await Generation.open({
    url: urlAs('billing'),
    projection,
    entities,
    stage: 'next',
    resume,
  });
  opened.push(generation);
  return generation;
}

/** What a stream would give: everything after the generation's position, up to `position`. */
const catchUp = (generation: Generation, events: readonly Recorded[]) => async (position: number) => {
  const missing = events.filter(event => event.position <= position);
  if (missing.length > 0) await generation.runner.apply(missing);
};

const rows = (orm = reader) =>
  orm.em
    .fork()
    .execute<{ id: string; times: number; actor?: string }[]>('select * from billing.seen order by 1');
const sumOf = (found: readonly { times: number }[]) => found.reduce((sum, { times }) => sum + times, 0);

test('a new generation is filled beside the one that serves, and takes over with all written since', async () => {
  const runner = new ProjectionRunner(live, seen);
  await runner.apply(history(20));
  await live.em.fork().execute(`update billing.seen set times = 100 where id = 'id_1'`); // what a rebuild mends
  const generation = await open();
  await generation.runner.apply(history(15));
  expect((await rows())[1]).toMatchObject({ id: 'id_1', times: 100 });
  await runner.apply(history(25, 21));
  await generation.takeOver(live, catchUp(generation, history(25)));
  expect(sumOf(await rows())).toBe(25);
  await runner.apply(history(30, 26));
  expect(sumOf(await rows())).toBe(30);
  expect(await readCheckpoint(reader.em.fork(), seen.name)).toMatchObject({ position: 30, version: 1 });
  expect(await live.schema.getUpdateSchemaSQL({ schema: 'billing', safe: true, dropTables: false })).toBe('');
});

test('a generation that is ahead of the one that serves takes its position along', async () => {
  const runner = new ProjectionRunner(live, seen);
  await runner.apply(history(10));
  const generation = await open();
  await generation.runner.apply(history(20));
  await generation.takeOver(live, catchUp(generation, history(10)));
  await expect(runner.apply(history(20, 11))).rejects.toBeInstanceOf(StaleCheckpoint);
  await runner.apply(history(22, 11));
  expect(sumOf(await rows())).toBe(22);
});

test('a generation that did not catch up does not take over', async () => {
  await new ProjectionRunner(live, seen).apply(history(10));
  const generation = await open();
  await generation.runner.apply(history(5));
  await expect(generation.takeOver(live, () => Promise.resolve())).rejects.toThrow(
    'came to 5 only, while 10',
  );
  expect(sumOf(await rows())).toBe(10);
});

test('who reads meanwhile finds all rows in each of many swaps, while the live runner goes on', async () => {
  const runner = new ProjectionRunner(live, seen);
  await runner.apply(history(100));
  const done = new AbortController();
  const reading = Array.from({ length: 4 }, async () => {
    const sums: number[] = [];
    while (!done.signal.aborted) sums.push(sumOf(await rows()));
    return sums;
  });
  const running = (async () => {
    let position = 100;
    while (!done.signal.aborted) {
      try {
        await runner.apply([sighted(position + 1)]);
        position += 1;
      } catch (cause) {
        if (!(cause instanceof StaleCheckpoint)) throw cause;
      }
    }
    return position;
  })();
  for (let swaps = 0; swaps < 8; swaps++) {
    const generation = await open();
    await generation.takeOver(live, position => generation.runner.apply(history(position)));
    await generation.close();
    opened.pop();
  }
  done.abort();
  const last = await running;
  for (const sums of await Promise.all(reading)) {
    expect(sums.length).toBeGreaterThan(0);
    expect(sums).toEqual(sums.toSorted((a, b) => a - b));
    expect(sums[0]).toBeGreaterThanOrEqual(100);
  }
  expect(sumOf(await rows())).toBe(last);
});

test('a later version with other columns is deployed beside the earlier one, and replaces it', async () => {
  const old = new ProjectionRunner(live, seen);
  await old.apply(history(10));
  const options = { url: urlAs('billing'), schema: 'billing', entities: [SeenBy], projections: [seenBy] };
  const deployed = await openDatabase(options);
  expect(Object.keys((await rows())[0]!)).toEqual(['id', 'times']); // left as it is, because others serve from it
  const generation = await open(seenBy);
  await generation.takeOver(deployed, catchUp(generation, history(10)));
  expect(await rows()).toContainEqual({ id: 'id_1', times: 1, actor: 'service:spec' });
  await expect(old.apply(history(11, 11))).rejects.toBeInstanceOf(StaleCheckpoint);
  await expect(old.apply(history(11, 11))).rejects.toMatchObject({ name: 'Superseded' });
  await new ProjectionRunner(deployed, seenBy).apply(history(12, 11));
  expect(sumOf(await rows())).toBe(12);
  await deployed.close();
});

test('one that was interrupted is resumed; one of another version begins anew', async () => {
  const first = await open();
  await first.runner.apply(history(7));
  await first.close();
  const resumed = await open(seen, true);
  expect(await resumed.runner.position()).toBe(7);
  await resumed.close();
  const other = await open(seenBy, true);
  expect(await other.runner.position()).toBe(0);
  await other.runner.apply(history(3));
  await other.discard();
});

test('one process at a time fills a generation of a projection', async () => {
  const first = await open();
  await expect(open()).rejects.toMatchObject({ name: 'GenerationIsBeingFilled' });
  await first.close();
  await open();
});

test('who only reads cannot see what is not yet served', async () => {
  const generation = await open();
  await generation.runner.apply(history(3));
  const looking = reader.em.fork().execute('select * from billing_next.seen');
  await expect(looking).rejects.toMatchObject({ code: '42501' });
});

test('rows that do not follow from the stream are named', async () => {
  await new ProjectionRunner(live, seen).apply(history(20));
  await live.em.fork().execute(
    `update billing.seen set times = 7 where id = 'id_3';
     delete from billing.seen where id = 'id_5';
     insert into billing.seen values ('id_x', 1)`,
  );
  const scratch = await Generation.open({
    url: urlAs('billing'),
    projection: seen,
    entities: [Seen],
    stage: 'scratch',
  });
  opened.push(scratch);
  expect(await copyLiveTables(live, seen)).toBe(20);
  await scratch.runner.apply(history(20));
  const table = 'billing.seen';
  expect(await differencesIn(live.em.fork(), Seen, 10)).toEqual([
    { table, key: { id: 'id_3' }, kind: 'different', columns: ['times'] },
    { table, key: { id: 'id_5' }, kind: 'missing', columns: [] },
    { table, key: { id: 'id_x' }, kind: 'unfounded', columns: [] },
  ]);
  await dropCopies(live, seen);
  await scratch.discard();
});
