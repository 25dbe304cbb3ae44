import type { Assignment, TaskCheckpointed } from '@astro/messages/agent';
import { cidOf } from '@astro/messages/content-id';
import { delay } from '@astro/jetstream/delay';
import { reasonOf, type Log } from '@astro/jetstream/log';
import type { Content } from '../content/content.js';
import type { Follower } from '../runtime/task-runtime.js';

/** What is not stored by then is given up: the next checkpoint is worth more. */
const KEEP_TIMEOUT_MS = 30_000;

export type KeeperParts = {
  readonly content: Content;
  readonly log: Log;
  /** Resolves when the platform is sure to hear it. */
  report(checkpoint: TaskCheckpointed): Promise<void>;
};

/** Stores the checkpoints of one lease and tells the platform of them, no more often than its job allows. */
export class CheckpointKeeper implements Omit<Follower, 'write'> {
  readonly notice: AbortSignal;
  readonly #assignment: Assignment;
  readonly #parts: KeeperParts;
  readonly #lost: AbortSignal;
  #lastCid: string | undefined;
  #lastAtMs = 0;

  /** @param lost aborts when nobody wants what the lease has made */
  constructor(assignment: Assignment, parts: KeeperParts, notice: AbortSignal, lost: AbortSignal) {
    this.#assignment = assignment;
    this.#parts = parts;
    this.notice = notice;
    this.#lost = lost;
    this.#lastCid = assignment.checkpoint?.cid;
  }

  async keep(bytes: Uint8Array): Promise<void> {
    const { poolId, leaseId, fencingToken } = this.#assignment;
    const { content, log, report } = this.#parts;
    // What the program continues from comes back as the first.
    if (this.#lost.aborted || cidOf(bytes) === this.#lastCid) return;
    this.#lastAtMs = performance.now();
    try {
      const cid = await content.store(
        bytes,
        AbortSignal.any([this.#lost, AbortSignal.timeout(KEEP_TIMEOUT_MS)]),
      );
      await report({ poolId, leaseId, fencingToken, checkpoint: { cid, sizeBytes: bytes.length } });
      this.#lastCid = cid;
    } catch (error) {
      log.warn('a checkpoint was not kept', { leaseId, reason: reasonOf(error) });
    }
  }

  async untilNext(): Promise<void> {
    const everyMs = this.#assignment.checkpoints?.everyMs ?? 0;
    const leftMs = this.#lastAtMs + everyMs - performance.now();
    if (leftMs > 0) await delay(leftMs, AbortSignal.any([this.notice, this.#lost]));
  }
}
