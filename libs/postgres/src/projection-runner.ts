import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { Message } from '@astro/event-sourcing/decider';
import type { Projection } from '@astro/event-sourcing/projection';
import type { Recorded } from '@astro/event-sourcing/recorded';
import { ensureCheckpoint, movePosition, readPosition } from './checkpoints.js';
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

/** Nothing of the batch was applied. */
export class ProjectionFailed extends Error {
  override readonly name = 'ProjectionFailed';
  constructor(
    readonly projection: string,
    /** Of the event that could not be applied; that of the batch's end when the transaction as a whole failed. */
    readonly position: number,
    /** Whether the database was the reason, so that the same batch can succeed later. */
    readonly retryable: boolean,
    override readonly cause: unknown,
  ) {
    super(`${projection} could not apply the event at position ${position}`, { cause });
  }
}

/** Applies batches of one projection, each together with its checkpoint. Calls of one runner must not overlap. */
export class ProjectionRunner {
  readonly #orm: MikroORM;
  readonly #projection: Projection<Message, EntityManager>;
  /** Where this runner believes the checkpoint to be; unknown at first and after every failure. */
  #position: number | undefined;

  constructor(orm: MikroORM, projection: Projection<Message, EntityManager>) {
    this.#orm = orm;
    this.#projection = projection;
  }

  get name(): string {
    return this.#projection.name;
  }

  /** Position of the last event applied, read from the database. */
  async position(): Promise<number> {
    const em = this.#orm.em.fork();
    await ensureCheckpoint(em, this.name);
    this.#position = await readPosition(em, this.name);
    return this.#position;
  }

  /**
   * Applies what lies after the checkpoint, in one transaction with it.
   * @param batch in the order of the stream, without gaps in what the projection reads
   * @throws StaleCheckpoint, after which `position` tells where the other runner is
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
        // First of all, because it locks the row: a second runner waits here and then finds it moved.
        if (!(await movePosition(tx, this.name, range))) throw new StaleCheckpoint(this.name, range.from);
        for (const recorded of fresh) {
          position = recorded.position;
          await this.#projection.apply(tx, recorded);
          await tx.flush();
          // Entities of one event must not be found by the next: raw statements change rows behind their back.
          tx.clear();
        }
        position = range.to;
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
