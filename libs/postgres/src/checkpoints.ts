import { setTimeout as sleep } from 'node:timers/promises';
import type { EntityManager, QueryResult } from '@mikro-orm/postgresql';
import { nameAt, quoted, stageOf, type Stage } from './stage.js';

const pollIntervalMs = 25;

/** What a checkpoint belongs to. */
export type ProjectionRef = {
  readonly name: string;
  readonly version: number;
  readonly tables: readonly string[];
};

export type Checkpoint = {
  /** Position of the last event that was applied. */
  readonly position: number;
  /** Of the projection whose rows these are. */
  readonly version: number;
  readonly tables: readonly string[];
};

/**
 * How far each projection of a schema has come, one row each. Repeating the DDL changes nothing, and brings the
 * table of the first release, which knew one version, up to date.
 */
export function createCheckpoints(context: string, stage: Stage = 'live'): string {
  const table = nameAt(context, stage, 'checkpoints');
  return `create table if not exists ${table} (
     "projection" text primary key,
     "position" bigint not null check ("position" >= 0),
     "updated_at" timestamptz not null default now()
   );
   alter table ${table} add column if not exists "version" integer not null default 1,
     add column if not exists "tables" text[] not null default '{}'`;
}

/** Undefined when the projection has not started. */
export async function readCheckpoint(
  em: EntityManager,
  projectionName: string,
  options: { readonly lock?: boolean } = {},
): Promise<Checkpoint | undefined> {
  const [row] = await em.execute<{ position: string; version: number; tables: string }[]>(
    `select "position", "version", array_to_json("tables")::text as "tables" from ${checkpointsOf(em, projectionName)}
      where "projection" = ? ${options.lock ? 'for update' : ''}`,
    [projectionName],
  );
  return row && { ...row, position: Number(row.position), tables: JSON.parse(row.tables) as string[] };
}

/** Position of the last event that `projectionName` applied; 0 when it has not started. */
export async function readPosition(em: EntityManager, projectionName: string): Promise<number> {
  return (await readCheckpoint(em, projectionName))?.position ?? 0;
}

/** Makes the row, so that a fence has something to hold on to. */
export async function ensureCheckpoint(em: EntityManager, projection: ProjectionRef): Promise<void> {
  await em.execute(
    `insert into ${checkpointsOf(em, projection.name)} ("projection", "position", "version", "tables")
     values (?, 0, ?, ${textArray(projection.tables)}) on conflict do nothing`,
    [projection.name, projection.version],
  );
}

/** Moves the checkpoint only if it still stands at `from`, at the same version. False means that it does not. */
export async function movePosition(
  em: EntityManager,
  { name, version }: Pick<ProjectionRef, 'name' | 'version'>,
  { from, to }: { from: number; to: number },
): Promise<boolean> {
  const result = await em.execute<QueryResult>(
    `update ${checkpointsOf(em, name)} set "position" = ?, "updated_at" = now()
      where "projection" = ? and "position" = ? and "version" = ?`,
    [to, name, from, version],
    'run',
  );
  return result.affectedRows === 1;
}

/** Makes the row say that the rows of `projection` up to `position` stand in its tables, whatever it said before. */
export async function setCheckpoint(
  em: EntityManager,
  projection: ProjectionRef,
  position: number,
): Promise<void> {
  await em.execute(
    `update ${checkpointsOf(em, projection.name)}
        set "position" = ?, "version" = ?, "tables" = ${textArray(projection.tables)}, "updated_at" = now()
      where "projection" = ?`,
    [position, projection.version, projection.name],
  );
}

export async function forgetCheckpoint(em: EntityManager, projectionName: string): Promise<void> {
  await em.execute(`delete from ${checkpointsOf(em, projectionName)} where "projection" = ?`, [
    projectionName,
  ]);
}

/**
 * Waits until a read model holds everything up to `position`, so that a caller can read its own write.
 * False when that did not happen within `timeoutMs`.
 */
export async function waitForPosition(
  em: EntityManager,
  projectionName: string,
  position: number,
  timeoutMs: number,
): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while ((await readPosition(em, projectionName)) < position) {
    if (performance.now() + pollIntervalMs > deadline) return false;
    await sleep(pollIntervalMs);
  }
  return true;
}

/** A projection is named `<context>.<read-model>`, and belongs to the schema of that context. */
export function contextOfProjection(projectionName: string): string {
  const [context, ...rest] = projectionName.split('.');
  if (!context || rest.length !== 1)
    throw new Error(`a projection is named <context>.<name>: ${projectionName}`);
  return context;
}

const checkpointsOf = (em: EntityManager, projectionName: string): string =>
  nameAt(contextOfProjection(projectionName), stageOf(em), 'checkpoints');

const textArray = (tables: readonly string[]): string =>
  `array[${tables.map(table => `'${quoted(table).slice(1, -1)}'`).join(', ')}]::text[]`;
