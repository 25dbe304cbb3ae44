import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { Message } from '@astro/event-sourcing/decider';
import type { Projection } from '@astro/event-sourcing/projection';
import type { Recorded } from '@astro/event-sourcing/recorded';
import { ensureCheckpoint, movePosition, readCheckpoint } from './checkpoints.js';
import { isRetryable } from './failures.js';
import { inTransaction } from './transaction.js';

/** The checkpoint is not where this runner left it: another runner of the same projection is at work. */
export class StaleCheckpoint extends Error {
  override readonly name = 'StaleCheckpoint';
  constructor(
    readonly projection: string,
    readonly expectedPosition: number,
  ) {
    super(`${projection} was moved from position ${expectedPosition} by another runner`);
  }
}

/** Another version of the projection took over: what this one would write does not fit the tables that serve. */
export class Superseded extends Error {
  override readonly name = 'Superseded';
  constructor(
    readonly projection: string,
    readonly version: number,
    readonly liveVersion: number,
  ) {
    super(`version ${version} of ${projection} gave way to version ${liveVersion}`);
  }
}

/** Nothing of the batch was applied. */
export class ProjectionFailed extends Error {
  override readonly name = 'ProjectionFailed';
  constructor(
    readonly projection: string,
    /** Of the event that could not be applied; that of the batch's end when the batch as a whole failed. */
    readonly position: number,
    /** Whether the database was the reason, so that the same batch can succeed later. */
    readonly retryable: boolean,
    override readonly cause: unknown,
  ) {
    super(`${projection} could not apply the event at position ${position}`, { cause });
  }
}

/** How durable a commit must be before it counts. */
export type RunnerOptions = {
  /**
   * Commits are not waited for to reach the disk. After a crash of the server, the last batches and their
   * checkpoints are missing together: right for a generation that nobody reads yet.
   */
  readonly lazyCommits?: boolean;
};

/** Applies batches of one projection, each together with its checkpoint. Calls of one runner must not overlap. */
export class ProjectionRunner {
  readonly #orm: MikroORM;
  readonly #projection: Projection<Message, EntityManager>;
  readonly #lazyCommits: boolean;
  /** Where this runner believes the checkpoint to be; unknown at first and after every failure. */
  #position: number | undefined;

  constructor(
    orm: MikroORM,
    projection: Projection<Message, EntityManager>,
    { lazyCommits = false }: RunnerOptions = {},
  ) {
    this.#orm = orm;
    this.#projection = projection;
    this.#lazyCommits = lazyCommits;
  }

  get name(): string {
    return this.#projection.name;
  }

  /** Position of the last event applied, read from the database. @throws Superseded */
  async position(): Promise<number> {
    const em = this.#orm.em.fork();
    await ensureCheckpoint(em, this.#projection);
    const { position, version } = (await readCheckpoint(em, this.name))!;
    if (version !== this.#projection.version)
      throw new Superseded(this.name, this.#projection.version, version);
    this.#position = position;
    return position;
  }

  /**
   * Applies what lies after the checkpoint, in one transaction with it.
   * @param batch in the order of the stream, without gaps in what the projection reads
   * @throws StaleCheckpoint, after which `position` tells where the other runner is
   * @throws Superseded when the next call finds another version in its place
   * @throws ProjectionFailed
   */
  async apply(batch: readonly Recorded[]): Promise<void> {
    assertAscending(this.name, batch);
    const from = this.#position ?? (await this.position());
    const fresh = batch.filter(recorded => recorded.position > from);
    const to = fresh.at(-1)?.position;
    if (to === undefined) return;
    // A commit whose answer is lost may have happened, so that only a re-read tells the position after a failure.
    this.#position = undefined;
    await this.#commit(fresh, { from, to });
    this.#position = to;
  }

  async #commit(fresh: readonly Recorded[], range: { from: number; to: number }): Promise<void> {
    let position = range.to;
    try {
      await inTransaction(this.#orm, async tx => {
        if (this.#lazyCommits) await tx.execute('set local synchronous_commit = off');
        // First of all, because it locks the row: a second runner waits here and then finds it moved.
        if (!(await movePosition(tx, this.#projection, range)))
          throw new StaleCheckpoint(this.name, range.from);
        if (this.#projection.applyBatch) return this.#projection.applyBatch(tx, fresh);
        for (const recorded of fresh) {
          position = recorded.position;
          await this.#projection.apply(tx, recorded);
          await tx.flush();
          // Entities of one event must not be found by the next: raw statements change rows behind their back.
          tx.clear();
        }
        position = range.to;
        return undefined;
      });
    } catch (cause) {
      if (cause instanceof StaleCheckpoint) throw cause;
      throw new ProjectionFailed(this.name, position, isRetryable(cause), cause);
    }
  }
}

/** Events out of order would be taken for events that were already applied, and be lost. */
function assertAscending(projection: string, batch: readonly Recorded[]): void {
  for (const [index, recorded] of batch.entries()) {
    const previous = batch[index - 1];
    if (previous && recorded.position <= previous.position) {
      throw new Error(`${projection} was given position ${recorded.position} after ${previous.position}`);
    }
  }
}
