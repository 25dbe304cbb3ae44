import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_EVERY_MS = 25;

type Waiting = {
  readonly position: number;
  readonly deadlineMs: number;
  resolve(isReached: boolean): void;
  reject(error: unknown): void;
};

/**
 * Waits until read models hold what somebody has written. All of a process that wait for one projection share its
 * looks at the table, so that a thousand waits cost the database no more than one.
 */
export class PositionWatch {
  readonly #waiting = new Map<string, Set<Waiting>>();

  /** @param positionOf of the last event that a projection has applied */
  constructor(private readonly positionOf: (projectionName: string) => Promise<number>) {}

  /**
   * Whether the projection has come as far as `position` within `timeoutMs`; it is looked at once in any case.
   * @throws whatever `positionOf` throws
   */
  reached(projectionName: string, position: number, timeoutMs: number): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const waiting = { position, deadlineMs: performance.now() + timeoutMs, resolve, reject };
      const others = this.#waiting.get(projectionName);
      if (others) return void others.add(waiting);
      const all = new Set<Waiting>([waiting]);
      this.#waiting.set(projectionName, all);
      void this.#watch(projectionName, all);
    });
  }

  /** Never throws: those that wait hear of an error, and the next one begins anew. */
  async #watch(projectionName: string, all: Set<Waiting>): Promise<void> {
    while (all.size > 0) {
      const asking = [...all];
      try {
        const reached = await this.positionOf(projectionName);
        for (const waiting of asking) settle(all, waiting, reached);
      } catch (error) {
        for (const waiting of asking) {
          all.delete(waiting);
          waiting.reject(error);
        }
      }
      if (all.size > 0) await sleep(LOOK_EVERY_MS);
    }
    this.#waiting.delete(projectionName);
  }
}

/** Whoever came after the table was asked is looked at the next time. */
function settle(all: Set<Waiting>, waiting: Waiting, reached: number): void {
  const isReached = reached >= waiting.position;
  if (!isReached && performance.now() < waiting.deadlineMs) return;
  all.delete(waiting);
  waiting.resolve(isReached);
}
