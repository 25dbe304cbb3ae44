import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Follower } from '../runtime/task-runtime.js';

const LOOK_EVERY_MS = 100;
/** What a checkpoint is called once it is complete. */
export const LATEST_CHECKPOINT = 'latest';

/**
 * Takes the checkpoints that appear in a folder of a program that runs. It got its name when it was complete, so that
 * what is opened is whole; it is not written to again.
 */
export class CheckpointWatch {
  readonly #path: string;
  readonly #limitBytes: number;
  readonly #follower: Follower;
  readonly #ended = new AbortController();
  readonly #watching: Promise<void>;
  #seen = '';

  constructor(folder: string, limitBytes: number, follower: Follower) {
    this.#path = join(folder, LATEST_CHECKPOINT);
    this.#limitBytes = limitBytes;
    this.#follower = follower;
    this.#watching = this.#watch();
    // It is awaited at the end, whenever it fails.
    this.#watching.catch(() => undefined);
  }

  /** After the program's end: what it has left last is taken too. */
  async close(): Promise<void> {
    this.#ended.abort();
    await this.#watching;
    await this.#take();
  }

  async #watch(): Promise<void> {
    const { signal } = this.#ended;
    const ended = new Promise<void>(resolve => signal.addEventListener('abort', () => resolve()));
    while (!signal.aborted) {
      if (await this.#take()) await Promise.race([this.#follower.untilNext(), ended]);
      await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #take(): Promise<boolean> {
    const bytes = await this.#look();
    if (bytes) await this.#follower.keep(bytes);
    return bytes !== undefined;
  }

  /** The program may put anything there at any moment: only what was opened is looked at, and no link followed. */
  async #look(): Promise<Uint8Array | undefined> {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const file = await open(this.#path, flags).catch(() => undefined);
    if (!file) return undefined;
    try {
      const found = await file.stat({ bigint: true });
      const version = `${found.ino} ${found.mtimeNs} ${found.size}`;
      if (version === this.#seen || !found.isFile()) return undefined;
      this.#seen = version;
      if (found.size > BigInt(this.#limitBytes)) return undefined;
      const bytes = new Uint8Array(Number(found.size));
      const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
      return bytesRead === bytes.length ? bytes : undefined;
    } finally {
      await file.close();
    }
  }
}
