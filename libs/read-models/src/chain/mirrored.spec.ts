import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startPostgres, type PostgresServer } from '@astro/devstack/postgres/server';
import type { Recorded } from '@astro/event-sourcing/recorded';
import type { BlockIndexed, MirrorEvent } from '@astro/messages/chain';
import { openDatabase } from '@astro/postgres/database';
import { provision } from '@astro/postgres/provision';
import type { MikroORM } from '@mikro-orm/postgresql';
import fc from 'fast-check';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hashOf, logOf, loggedEvents, type Draw } from './any-log.fixture.js';
import { chainModels } from './models.js';

const entities = chainModels.flatMap(model => model.entities);
const tables = entities.map(({ meta }) => meta.tableName);
/** What is read, without what is only kept to take blocks back. */
const shown = tables.filter(table => !table.endsWith('_undo'));
const logsPerBlockMax = 6;

let dir: string;
let postgres: PostgresServer;
let orm: MikroORM;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'astro-mirrored-'));
  chmodSync(dir, 0o755); // so that the server's own account can enter it
  postgres = await startPostgres({ dir });
  const owner = { role: 'chain', password: 'chain', schema: 'chain' };
  const reader = { role: 'gateway', password: 'gateway' };
  await provision(postgres.adminUrl, { database: 'astro', owners: [owner], reader });
  const url = new URL(postgres.adminUrl);
  [url.username, url.password, url.pathname] = ['chain', 'chain', '/astro'];
  const projections = chainModels.map(({ projection }) => projection);
  orm = await openDatabase({ url: url.href, schema: 'chain', entities: [...entities], projections });
}, 60_000);
afterAll(async () => {
  await orm?.close();
  await postgres?.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** A chain that grows and changes its mind. Each step: blocks that it gives up, and logs of each block that comes. */
type Step = {
  readonly back: number;
  readonly blocks: readonly (readonly number[])[];
  readonly finality: number;
};

const chainOfSteps = fc.array(
  fc.record({
    back: fc.nat({ max: 4 }),
    blocks: fc.array(fc.array(fc.nat(), { maxLength: logsPerBlockMax }), { minLength: 1, maxLength: 4 }),
    finality: fc.nat({ max: 5 }),
  }),
  { minLength: 1, maxLength: 10 },
);

/** The same seed gives the same log, at whatever time it is made. */
function drawFrom(seed: number): Draw {
  let state = (seed ^ 0x9e3779b9) >>> 0;
  return limit => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

function blockOf(number: number, fork: number, seeds: readonly number[]): BlockIndexed {
  const logs = seeds.map((seed, index) => {
    const draw = drawFrom(seed);
    return logOf(loggedEvents[draw(loggedEvents.length)]!, number, index, draw);
  });
  const hash = hashOf(fork * 10_000 + number);
  return { number, hash, parentHash: hashOf(0), time: new Date(number * 1_000), final: false, logs };
}

/** What is recorded of the steps, and what would be of the last chain alone. */
function recordsOf(steps: readonly Step[]) {
  const record: MirrorEvent[] = [];
  const chain: BlockIndexed[] = [];
  let finalNumber = 0;
  for (const [fork, { back, blocks, finality }] of steps.entries()) {
    const kept = Math.max(finalNumber, chain.length - back);
    for (const { number, hash } of chain.splice(kept).reverse())
      record.push({ type: 'BlockReverted', data: { number, hash, finalNumber } });
    for (const seeds of blocks) {
      const block = blockOf(chain.length + 1, fork, seeds);
      chain.push(block);
      record.push({ type: 'BlockIndexed', data: block });
    }
    finalNumber = Math.max(finalNumber, chain.length - finality);
    const { number, hash } = chain.at(-1);
    record.push({ type: 'HeadFollowed', data: { number, hash, finalNumber } });
  }
  const straight: MirrorEvent[] = chain.map(block => ({ type: 'BlockIndexed', data: block }));
  return { record, straight: [...straight, record.at(-1)] };
}

/** @param sizes of the batches, again and again */
async function tablesAfter(events: readonly MirrorEvent[], sizes: readonly number[]) {
  const em = orm.em.fork();
  await em.execute(`truncate ${tables.map(table => `chain."${table}"`).join(', ')}`);
  const recorded = events.map((event, index): Recorded<MirrorEvent> => {
    const about = { id: `evt_${index}`, aggregate: { type: 'chain.mirror', id: '1' } as const };
    const metadata = { correlationId: 'req_1', causationId: 'req_1', actor: 'service:spec' };
    return { ...about, event, position: index + 1, recordedAt: new Date(0), metadata };
  });
  for (const { projection } of chainModels) {
    for (let from = 0, batch = 0; from < recorded.length; batch++) {
      const to = from + sizes[batch % sizes.length]!;
      await projection.applyBatch!(em, recorded.slice(from, to));
      from = to;
    }
  }
  const contents = shown.map(async table => {
    const [row] = await em.execute<{ rows: unknown }[]>(
      `select coalesce(json_agg(t order by t::text), '[]') as "rows" from chain."${table}" as t`,
    );
    return [table, row!.rows] as const;
  });
  return Object.fromEntries(await Promise.all(contents)) as Readonly<Record<string, readonly unknown[]>>;
}

test('a second start finds the tables and their indexes as it wants them', async () => {
  expect(await orm.schema.getUpdateSchemaSQL({ schema: 'chain', safe: true, dropTables: false })).toBe('');
  const [index] = await orm.em.execute<{ indexdef: string }[]>(
    `select indexdef from pg_indexes where tablename = 'token_transfers' and indexdef like '%NOT is_final%'`,
  );
  expect(index?.indexdef).toContain('(as_of_block)');
});

test('whatever the chain gave up on its way, the tables are those of the chain that is left', async () => {
  const rowsSeen = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(
      chainOfSteps,
      fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
      async (steps, sizes) => {
        const { record, straight } = recordsOf(steps);
        const after = await tablesAfter(record, sizes);
        expect(after).toEqual(await tablesAfter(straight, [1]));
        for (const [table, rows] of Object.entries(after))
          rowsSeen.set(table, (rowsSeen.get(table) ?? 0) + rows.length);
      },
    ),
    { numRuns: 25 },
  );
  expect([...rowsSeen].filter(([, rows]) => rows === 0).map(([table]) => table)).toEqual([]);
}, 240_000);
