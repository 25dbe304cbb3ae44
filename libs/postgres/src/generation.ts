import type { EntitySchema } from '@mikro-orm/core';
import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { Message } from '@astro/event-sourcing/decider';
import type { Projection } from '@astro/event-sourcing/projection';
import {
  contextOfProjection,
  createCheckpoints,
  ensureCheckpoint,
  forgetCheckpoint,
  readCheckpoint,
  setCheckpoint,
} from './checkpoints.js';
import { lockTables, openStage } from './database.js';
import { isLockTimeout } from './failures.js';
import { ProjectionRunner } from './projection-runner.js';
import { SessionLock } from './session-lock.js';
import { nameAt, schemaAt, type Stage } from './stage.js';
import { inTransaction } from './transaction.js';

export type GenerationOptions = {
  /** Of the role that owns the schema. */
  readonly url: string;
  readonly projection: Projection<Message, EntityManager>;
  /** May hold more than the projection's own. */
  readonly entities: readonly EntitySchema[];
  readonly stage: Exclude<Stage, 'live'>;
  /** Goes on with what an interrupted run of the same version has filled. */
  readonly resume?: boolean;
  readonly warn?: (line: string) => void;
};

/** Somebody else fills a generation of this projection. */
export class GenerationIsBeingFilled extends Error {
  override readonly name = 'GenerationIsBeingFilled';
  constructor(readonly projection: string) {
    super(`another process fills a new generation of ${projection}`);
  }
}

/** A table is swapped when nobody reads it. Who waits longer makes every later reader wait behind it. */
const swapLockTimeoutMs = 500;
const swapAttempts = 60;

/** The tables of one projection at another stage than the one that serves, and the runner that fills them. */
export class Generation {
  readonly runner: ProjectionRunner;

  private constructor(
    private readonly options: GenerationOptions,
    readonly orm: MikroORM,
    private readonly lock: SessionLock,
  ) {
    this.runner = new ProjectionRunner(orm, options.projection, { lazyCommits: true });
  }

  /** @throws GenerationIsBeingFilled */
  static async open(options: GenerationOptions): Promise<Generation> {
    const { url, projection, stage } = options;
    const entities = options.entities.filter(({ meta }) => isOf(projection, meta));
    if (entities.length !== projection.tables.length) {
      throw new Error(`${projection.name} fills ${projection.tables.join(', ')}, which not all are known`);
    }
    const lock = await SessionLock.take(url, `${stage} generation of ${projection.name}`);
    if (lock === undefined) throw new GenerationIsBeingFilled(projection.name);
    try {
      const orm = await openStage({ ...options, entities }, stage);
      const generation = new Generation(options, orm, lock);
      await generation.#prepare();
      return generation;
    } catch (cause) {
      await lock.release();
      throw cause;
    }
  }

  /**
   * Makes these tables the ones that serve, in one transaction: a reader finds the old rows or the new ones, never
   * none, and waits for the swap at most. The live runner waits too, and goes on after the swap.
   * @param live of the role that owns the schema
   * @param catchUp applies what lies up to a position and is missing here; the live checkpoint stands still meanwhile
   */
  async takeOver(live: MikroORM, catchUp: (position: number) => Promise<void>): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await inTransaction(live, tx => this.#swap(tx, catchUp));
      } catch (cause) {
        if (attempt === swapAttempts || !isLockTimeout(cause)) throw cause;
      }
    }
  }

  /** Drops the tables. */
  async discard(): Promise<void> {
    await inTransaction(this.orm, tx => this.#drop(tx));
  }

  async close(): Promise<void> {
    await this.orm.close();
    await this.lock.release();
  }

  async #prepare(): Promise<void> {
    const { projection, stage, resume } = this.options;
    const context = contextOfProjection(projection.name);
    await inTransaction(this.orm, async tx => {
      await lockTables(tx, context);
      await tx.execute(createCheckpoints(context, stage));
      const begun = await readCheckpoint(tx, projection.name);
      if (resume && begun?.version === projection.version) return;
      await this.#drop(tx);
      await tx.execute(await this.#createTables(context));
      await ensureCheckpoint(tx, projection);
    });
  }

  /** The DDL of the tables as their entities have them now, at this stage. */
  async #createTables(context: string): Promise<string> {
    const ddl = await this.orm.schema.getCreateSchemaSQL({ schema: context });
    const statements = ddl.split('\n').filter(line => !line.startsWith('create schema '));
    return statements.join('\n').replaceAll(`"${context}".`, `"${schemaAt(context, this.options.stage)}".`);
  }

  async #drop(tx: EntityManager): Promise<void> {
    const { projection, stage } = this.options;
    const context = contextOfProjection(projection.name);
    const left = await readCheckpoint(tx, projection.name);
    for (const table of new Set([...projection.tables, ...(left?.tables ?? [])])) {
      await tx.execute(`drop table if exists ${nameAt(context, stage, table)}`);
    }
    await forgetCheckpoint(tx, projection.name);
  }

  async #swap(tx: EntityManager, catchUp: (position: number) => Promise<void>): Promise<void> {
    const { projection, stage } = this.options;
    const context = contextOfProjection(projection.name);
    await ensureCheckpoint(tx, projection);
    const before = (await readCheckpoint(tx, projection.name, { lock: true }))!;
    await catchUp(before.position);
    const position = await this.runner.position();
    if (position < before.position) {
      throw new Error(`${projection.name} came to ${position} only, while ${before.position} is served`);
    }
    await tx.execute(`set local lock_timeout = ${swapLockTimeoutMs}`);
    for (const table of new Set([...projection.tables, ...before.tables])) {
      await tx.execute(`drop table if exists ${nameAt(context, 'live', table)}`);
    }
    for (const table of projection.tables) {
      await tx.execute(`alter table ${nameAt(context, stage, table)} set schema "${context}"`);
    }
    await setCheckpoint(tx, projection, position);
    const checkpoints = nameAt(context, stage, 'checkpoints');
    await tx.execute(`delete from ${checkpoints} where "projection" = ?`, [projection.name]);
  }
}

const isOf = (
  { name, tables }: Projection<Message, EntityManager>,
  { schema, tableName }: EntitySchema['meta'],
): boolean => schema === contextOfProjection(name) && tables.includes(tableName);
