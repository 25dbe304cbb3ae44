import type { Worker } from 'node:worker_threads';
import type { Follower } from '../runtime/task-runtime.ts';
import { type CheckpointRun, flagAt, flagsBytes, type WorkerMessage } from './program-run.ts';

export type KeptCheckpoints = Omit<CheckpointRun, 'flags'> & { readonly follower: Follower };

/** The agent's side of a module's checkpoints. The worker is busy with the module, so that flags in memory tell it. */
export class CheckpointsOfWorker {
  readonly run: CheckpointRun;
  readonly #flags: Int32Array;
  readonly #follower: Follower;
  #keeping: Promise<void> = Promise.resolve();

  constructor(worker: Worker, { follower, ...run }: KeptCheckpoints) {
    this.#follower = follower;
    this.run = { ...run, flags: new SharedArrayBuffer(flagsBytes) };
    this.#flags = new Int32Array(this.run.flags);
    this.#want();
    if (follower.notice.aborted) this.#tellToStop();
    else follower.notice.addEventListener('abort', this.#tellToStop, { once: true });
    worker.on('message', (message: WorkerMessage) => {
      if (message.type === 'checkpoint') this.#keeping = this.#keeping.then(() => this.#keep(message.bytes));
    });
  }

  /** Resolves when what came is taken care of. */
  async close(): Promise<void> {
    this.#follower.notice.removeEventListener('abort', this.#tellToStop);
    await this.#keeping;
  }

  async #keep(bytes: Uint8Array): Promise<void> {
    await this.#follower.keep(bytes);
    void this.#follower.untilNext().then(() => this.#want());
  }

  #want(): void {
    Atomics.store(this.#flags, flagAt.isWanted, 1);
  }

  readonly #tellToStop = (): void => {
    Atomics.store(this.#flags, flagAt.isToStop, 1);
  };
}
