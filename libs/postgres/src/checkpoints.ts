import { setTimeout as sleep } from 'node:timers/promises';
import type { EntityManager, QueryResult } from '@mikro-orm/postgresql';

/** How far each projection of a schema has come. One row per projection, in the schema of its owner. */
const pollIntervalMs = 25;

/** The DDL of the table; repeating it changes nothing. */
export const createCheckpoints = (schema: string): string =>
  `create table if not exists ${quoted(schema)}."checkpoints" (
     "projection" text primary key,
     "position" bigint not null check ("position" >= 0),
     "updated_at" timestamptz not null default now()
   )`;

/** Position of the last event that `projectionName` applied; 0 when it has not started. */
export async function readPosition(em: EntityManager, projectionName: string): Promise<number> {
  const rows = await em.execute<{ position: string }[]>(
    `select "position" from ${tableOf(projectionName)} where "projection" = ?`,
    [projectionName],
  );
  return Number(rows[0]?.position ?? 0);
}

/** Makes the row, so that a fence has something to hold on to. */
export async function ensureCheckpoint(em: EntityManager, projectionName: string): Promise<void> {
  await em.execute(
    `insert into ${tableOf(projectionName)} ("projection", "position") values (?, 0) on conflict do nothing`,
    [projectionName],
  );
}

/** Moves the checkpoint only if it still stands at `from`. False means that another runner moved it. */
export async function movePosition(
  em: EntityManager,
  projectionName: string,
  { from, to }: { from: number; to: number },
): Promise<boolean> {
  const result = await em.execute<QueryResult>(
    `update ${tableOf(projectionName)} set "position" = ?, "updated_at" = now()
      where "projection" = ? and "position" = ?`,
    [to, projectionName, from],
    'run',
  );
  return result.affectedRows === 1;
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

/** A projection is named `<context>.<read-model>`, and its checkpoint lives in the schema of that context. */
function tableOf(projectionName: string): string {
  const [schema, ...rest] = projectionName.split('.');
  if (!schema || rest.length !== 1)
    throw new Error(`a projection is named <context>.<name>: ${projectionName}`);
  return `${quoted(schema)}."checkpoints"`;
}

/** Schema names are the names of contexts, which are code; anything else is a mistake, not a value to escape. */
function quoted(schema: string): string {
  if (!/^[a-z][a-z0-9_]{0,62}$/.test(schema)) throw new Error(`not the name of a schema: ${schema}`);
  return `"${schema}"`;
}
