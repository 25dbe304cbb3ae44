import type { EntitySchema } from '@mikro-orm/core';
import { MikroORM, type EntityManager } from '@mikro-orm/postgresql';
import { createCheckpoints, readCheckpoint, type ProjectionRef } from './checkpoints.js';
import { driverAt, type Stage } from './stage.js';
import { inTransaction } from './transaction.js';

/** Projections, queries and the schema lock of one process; PostgreSQL allows 100 connections by default. */
export const maxConnections = 8;
/** The runner of a generation, its switch, and one to spare. */
const maxStageConnections = 3;
const connectTimeoutMs = 5_000;
/** No query of a read model may take longer: it would hold its connection while others wait. */
const statementTimeoutMs = 30_000;

export type ReaderOptions = {
  readonly url: string;
  /** Of any schemas; the role in `url` must be allowed to read them. */
  readonly entities: readonly EntitySchema[];
  /** Where warnings of the driver go, such as a connection that the server closed. */
  readonly warn?: (line: string) => void;
};

export type DatabaseOptions = ReaderOptions & {
  /** The schema that this service owns; every entity belongs to it. */
  readonly schema: string;
  /** Those that fill the tables. Tables that another version of their projection filled are left as they are. */
  readonly projections?: readonly ProjectionRef[];
};

/** Connects and creates or extends the tables of `schema`: the checkpoints and those of `entities`. */
export async function openDatabase(options: DatabaseOptions): Promise<MikroORM> {
  const foreign = options.entities.filter(entity => entity.meta.schema !== options.schema);
  if (foreign.length > 0) {
    const names = foreign.map(entity => entity.meta.className).join(', ');
    throw new Error(`${options.schema} may not create tables of another schema: ${names}`);
  }
  const orm = await connect(options, options.schema);
  try {
    await updateTables(orm, options.schema, options.projections ?? []);
    return orm;
  } catch (cause) {
    await orm.close();
    throw cause;
  }
}

/** Connects to tables that others own: runs no DDL. */
export const openReader = (options: ReaderOptions): Promise<MikroORM> => connect(options);

/** Connects to the tables that `entities` have at another stage than the one that serves: runs no DDL. */
export const openStage = (options: ReaderOptions, stage: Stage): Promise<MikroORM> =>
  connect(options, undefined, stage);

async function connect(
  { url, entities, warn }: ReaderOptions,
  schema?: string,
  stage: Stage = 'live',
): Promise<MikroORM> {
  const orm = await MikroORM.init({
    driver: driverAt(stage),
    clientUrl: url,
    entities: [...entities],
    discovery: { warnWhenNoEntities: false },
    ...(schema === undefined ? {} : { schema }),
    ...(warn === undefined ? {} : { logger: warn }),
    colors: false,
    forceUtcTimezone: true,
    pool: { min: 0, max: stage === 'live' ? maxConnections : maxStageConnections },
    driverOptions: { connectionTimeoutMillis: connectTimeoutMs, statement_timeout: statementTimeoutMs },
  });
  try {
    await orm.em.execute('select 1');
    return orm;
  } catch (cause) {
    await orm.close();
    throw cause;
  }
}

/** Held by whoever changes the tables of a schema, at whatever stage; until the end of the transaction. */
export const lockTables = (tx: EntityManager, schema: string): Promise<unknown> =>
  tx.execute('select pg_advisory_xact_lock(hashtextextended(?, 0))', [`tables of ${schema}`]);

/**
 * Safe: adds tables and columns, never drops any. Two instances of a service that start at once take turns by an
 * advisory lock, which the transaction holds while the DDL runs on another connection of the pool.
 */
async function updateTables(
  orm: MikroORM,
  schema: string,
  projections: readonly ProjectionRef[],
): Promise<void> {
  await inTransaction(orm, async lock => {
    await lockTables(lock, schema);
    await orm.em.fork().execute(createCheckpoints(schema));
    // The generator took the object of its settings over when the ORM was made.
    orm.config.get('schemaGenerator').skipTables = await tablesOfOtherVersions(orm, projections);
    await orm.schema.update({ schema, safe: true, dropTables: false });
  });
}

async function tablesOfOtherVersions(
  orm: MikroORM,
  projections: readonly ProjectionRef[],
): Promise<string[]> {
  const tables: string[] = [];
  for (const { name, version, tables: own } of projections) {
    const checkpoint = await readCheckpoint(orm.em.fork(), name);
    if (checkpoint && checkpoint.version !== version) tables.push(...own, ...checkpoint.tables);
  }
  return tables;
}
