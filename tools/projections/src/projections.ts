import type { Bus } from '@astro/jetstream/bus';
import { lastPositionOf } from '@astro/jetstream/event-reader';
import { contextOfProjection, readCheckpoint } from '@astro/postgres/checkpoints';
import { copyLiveTables, differencesIn, dropCopies, type Difference } from '@astro/postgres/comparison';
import { openReader } from '@astro/postgres/database';
import { Generation } from '@astro/postgres/generation';
import { fill } from '@astro/runtime/fill';
import { serveNewGeneration } from '@astro/runtime/new-generation';
import type { MikroORM } from '@mikro-orm/postgresql';
import { readModels, type ReadModel } from './read-models.js';

export type Platform = {
  readonly bus: Bus;
  /** Of the role that owns the schema of a context. */
  databaseUrlOf(context: string): string;
};

export type ProjectionLine = {
  readonly name: string;
  /** Of the tables that serve; undefined before the first event. */
  readonly version: number | undefined;
  readonly position: number;
  readonly lag: number;
};

/** Said after each batch. */
export type Progress = (line: {
  readonly events: number;
  readonly position: number;
  readonly of: number;
}) => void;

/** More than these are counted by nobody: the first of them say enough. */
const maxDifferences = 100;

export async function list(platform: Platform): Promise<readonly ProjectionLine[]> {
  const lines: ProjectionLine[] = [];
  for (const context of new Set(readModels.map(({ projection }) => contextOfProjection(projection.name)))) {
    const own = readModels.filter(({ projection }) => contextOfProjection(projection.name) === context);
    await withDatabase(platform, own, async live => {
      for (const { projection } of own) {
        const checkpoint = await readCheckpoint(live.em.fork(), projection.name);
        const lastPosition = await lastPositionOf(platform.bus, projection.reads);
        const position = checkpoint?.position ?? 0;
        const lag = Math.max(0, lastPosition - position);
        lines.push({ name: projection.name, version: checkpoint?.version, position, lag });
      }
    });
  }
  return lines;
}

/** Fills the tables anew beside those that serve, and switches. @throws GenerationIsBeingFilled */
export async function rebuild(platform: Platform, readModel: ReadModel, progress: Progress): Promise<void> {
  const { projection, entities } = readModel;
  const of = await lastPositionOf(platform.bus, projection.reads);
  const onProgress = progressTo(of, progress);
  const url = platform.databaseUrlOf(contextOfProjection(projection.name));
  await withDatabase(platform, [readModel], live =>
    serveNewGeneration({ url, projection, entities, live, bus: platform.bus, onProgress }),
  );
}

export type Verification = {
  /** Up to where the tables that serve were compared. */
  readonly position: number;
  /** At most the first hundred of each table. */
  readonly differences: readonly Difference[];
};

/** Compares the tables that serve, as they stand at one moment, with what the stream says they should hold. */
export async function verify(
  platform: Platform,
  readModel: ReadModel,
  progress: Progress,
): Promise<Verification> {
  const { projection, entities } = readModel;
  const url = platform.databaseUrlOf(contextOfProjection(projection.name));
  return withDatabase(platform, [readModel], async live => {
    const served = (await readCheckpoint(live.em.fork(), projection.name))?.version;
    if (served !== undefined && served !== projection.version)
      throw new Error(
        `version ${served} of ${projection.name} serves; this is version ${projection.version}`,
      );
    const scratch = await Generation.open({ url, projection, entities, stage: 'scratch' });
    try {
      const position = (await copyLiveTables(live, projection)) ?? 0;
      const onProgress = progressTo(position, progress);
      const { runner } = scratch;
      await fill({ bus: platform.bus, projection, runner, upTo: position, onProgress });
      const differences: Difference[] = [];
      for (const entity of entities)
        differences.push(...(await differencesIn(scratch.orm.em.fork(), entity, maxDifferences)));
      return { position, differences };
    } finally {
      await dropCopies(live, projection);
      await scratch.discard();
      await scratch.close();
    }
  });
}

const progressTo =
  (of: number, progress: Progress) =>
  (done: { readonly events: number; readonly position: number }): void =>
    progress({ ...done, of });

async function withDatabase<T>(
  platform: Platform,
  models: readonly ReadModel[],
  work: (live: MikroORM) => Promise<T>,
): Promise<T> {
  const url = platform.databaseUrlOf(contextOfProjection(models[0]!.projection.name));
  const live = await openReader({ url, entities: models.flatMap(({ entities }) => entities) });
  try {
    return await work(live);
  } finally {
    await live.close();
  }
}
