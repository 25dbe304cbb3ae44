import type { EntitySchema } from '@mikro-orm/core';
import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import { contextOfProjection, readCheckpoint, type ProjectionRef } from './checkpoints.js';
import { nameAt } from './stage.js';
import { inTransaction } from './transaction.js';

/** A row that is not the same in the table that serves and in one that was filled from the stream. */
export type Difference = {
  readonly table: string;
  /** Values of the key columns, by name. */
  readonly key: Readonly<Record<string, unknown>>;
  /** `missing`: the stream tells of it and it is not there. `unfounded`: it is there without reason. */
  readonly kind: 'missing' | 'unfounded' | 'different';
  /** Where it differs. */
  readonly columns: readonly string[];
};

const copyOf = (table: string): string => `${table}_live`;

/**
 * Copies the live tables of a projection as they stand at one moment into the scratch schema, so that they can be
 * compared at leisure while the projection goes on. @returns their checkpoint; undefined when there is none
 */
export function copyLiveTables(live: MikroORM, { name, tables }: ProjectionRef): Promise<number | undefined> {
  const context = contextOfProjection(name);
  return inTransaction(live, async tx => {
    await tx.execute('set transaction isolation level repeatable read');
    const checkpoint = await readCheckpoint(tx, name);
    if (checkpoint === undefined) return undefined;
    for (const table of tables) {
      const copy = nameAt(context, 'scratch', copyOf(table));
      await tx.execute(`drop table if exists ${copy}`);
      await tx.execute(`create table ${copy} as select * from ${nameAt(context, 'live', table)}`);
    }
    return checkpoint.position;
  });
}

export async function dropCopies(live: MikroORM, { name, tables }: ProjectionRef): Promise<void> {
  for (const table of tables) {
    const copy = nameAt(contextOfProjection(name), 'scratch', copyOf(table));
    await live.em.fork().execute(`drop table if exists ${copy}`);
  }
}

/** Compares, row by row, what was copied with what stands in the scratch schema. @param limit of differences told */
export async function differencesIn(
  em: EntityManager,
  entity: EntitySchema,
  limit: number,
): Promise<readonly Difference[]> {
  const { schema, tableName: table } = entity.meta;
  const keys = em
    .getMetadata(entity)
    .getPrimaryProps()
    .map(({ fieldNames }) => `"${fieldNames[0]}"`);
  const key = keys.map(name => `'${name.slice(1, -1)}', coalesce(l.${name}, s.${name})`).join(', ');
  const rows = await em.execute<{ key: string; was: string | null; should: string | null }[]>(
    `select jsonb_build_object(${key})::text as "key",
            to_jsonb(l)::text as "was", to_jsonb(s)::text as "should"
       from ${nameAt(schema!, 'scratch', copyOf(table))} l
       full join ${nameAt(schema!, 'scratch', table)} s
         on ${keys.map(name => `l.${name} = s.${name}`).join(' and ')}
      where to_jsonb(l) is distinct from to_jsonb(s) order by 1 limit ${limit}`,
  );
  return rows.map(({ key, was, should }) => ({
    table: `${schema}.${table}`,
    key: JSON.parse(key) as Record<string, unknown>,
    ...(was === null
      ? { kind: 'missing', columns: [] }
      : should === null
        ? { kind: 'unfounded', columns: [] }
        : { kind: 'different', columns: columnsThatDiffer(was, should) }),
  }));
}

function columnsThatDiffer(was: string, should: string): string[] {
  const [before, after] = [was, should].map(text => JSON.parse(text) as Record<string, unknown>);
  const names = new Set([...Object.keys(before!), ...Object.keys(after!)]);
  return [...names].filter(name => JSON.stringify(before![name]) !== JSON.stringify(after![name]));
}
