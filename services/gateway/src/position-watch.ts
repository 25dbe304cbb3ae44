import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 25;

type Waiter = {
  readonly position: number;
  readonly deadline: number;
  resolve(isThere: boolean): void;
  reject(cause: unknown): void;
};

/**
 * Requests that wait for a read model to hold what they have written. However many there are, the database is asked
 * once for all of them: else each would ask forty times a second.
 */
export class PositionWatch {
  readonly #read: (projectionName: string) => Promise<number>;
  readonly #waiting = new Map<string, Set<Waiter>>();

  constructor(read: (projectionName: string) => Promise<number>) {
    this.#read = read;
  }

  /** False when it has not come so far within `timeoutMs`. @throws what reading throws */
  includes(projectionName: string, position: number, timeoutMs: number): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const waiter = { position, deadline: performance.now() + timeoutMs, resolve, reject };
      const waiting = this.#waiting.get(projectionName);
      if (waiting) waiting.add(waiter);
      else void this.#look(projectionName, new Set([waiter]));
    });
  }

  /** Until nobody waits any more. */
  async #look(projectionName: string, waiting: Set<Waiter>): Promise<void> {
    this.#waiting.set(projectionName, waiting);
    for (;;) {
      try {
        settle(waiting, await this.#read(projectionName));
      } catch (cause) {
        for (const { reject } of waiting) reject(cause);
        waiting.clear();
      }
      if (waiting.size === 0) break;
      await sleep(POLL_MS);
    }
    this.#waiting.delete(projectionName);
  }
}

function settle(waiting: Set<Waiter>, reached: number): void {
  for (const waiter of waiting) {
    const isThere = waiter.position <= reached;
    if (!isThere && performance.now() + POLL_MS <= waiter.deadline) continue;
    waiting.delete(waiter);
    waiter.resolve(isThere);
  }
}
