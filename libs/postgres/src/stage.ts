import type { EntityMetadata, EntitySchema } from '@mikro-orm/core';
import { PostgreSqlDriver, type EntityManager } from '@mikro-orm/postgresql';

/**
 * Where a generation of read models stands: `live` serves, `next` is filled beside it and takes its place,
 * `scratch` is filled to compare with it and is thrown away.
 */
export type Stage = 'live' | 'next' | 'scratch';

/** Every context has one schema for each stage, all owned by the role of its service. */
export const stages: readonly Stage[] = ['live', 'next', 'scratch'];

/** Schema of a context at a stage, for example `billing_next`. */
export const schemaAt = (context: string, stage: Stage): string =>
  stage === 'live' ? context : `${context}_${stage}`;

type SchemaOptions = { readonly schema?: string; readonly parentSchema?: string };

/** Sends what is read and written through an entity to the entity's table at another stage. */
class StagedDriver extends PostgreSqlDriver {
  readonly stage: Stage = 'live';

  override getSchemaName(meta?: EntityMetadata, options?: SchemaOptions): string | undefined {
    const schema = super.getSchemaName(meta, options);
    return schema === undefined ? undefined : schemaAt(schema, this.stage);
  }
}

class NextDriver extends StagedDriver {
  override readonly stage = 'next';
}

class ScratchDriver extends StagedDriver {
  override readonly stage = 'scratch';
}

export const driverAt = (stage: Stage): typeof PostgreSqlDriver =>
  ({ live: PostgreSqlDriver, next: NextDriver, scratch: ScratchDriver })[stage];

/** The stage that `em` reads and writes. */
export function stageOf(em: EntityManager): Stage {
  const driver: unknown = em.getDriver();
  return driver instanceof StagedDriver ? driver.stage : 'live';
}

/** Quoted name of the entity's table at the stage of `em`, for statements in SQL. */
export function tableOf(em: EntityManager, { meta }: Pick<EntitySchema, 'meta'>): string {
  return nameAt(meta.schema ?? 'public', stageOf(em), meta.tableName);
}

/** `"<schema>"."<table>"`. Contexts and tables are named by code; anything else is a mistake, not a value to escape. */
export function nameAt(context: string, stage: Stage, table: string): string {
  return `${quoted(schemaAt(context, stage))}.${quoted(table)}`;
}

export function quoted(name: string): string {
  if (!/^[a-z][a-z0-9_]{0,62}$/.test(name)) throw new Error(`not the name of a schema or table: ${name}`);
  return `"${name}"`;
}
