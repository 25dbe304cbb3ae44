import { setTimeout as sleep } from 'node:timers/promises';

/** A token bucket: so many calls a second, and as many at once as one second earns. Who comes later waits. */
export class RateLimit {
  readonly #perSecond: number;
  #tokens: number;
  #refilledMs = performance.now();
  #last: Promise<void> = Promise.resolve();

  constructor(perSecond: number) {
    if (!(perSecond > 0)) throw new RangeError(`perSecond: must be above 0, not ${perSecond}`);
    this.#perSecond = perSecond;
    this.#tokens = Math.max(1, perSecond);
  }

  /** Resolves when `calls` of them may be sent, first come first served. */
  take(calls: number): Promise<void> {
    this.#last = this.#last.then(() => this.#take(calls));
    return this.#last;
  }

  async #take(calls: number): Promise<void> {
    this.#refill();
    this.#tokens -= calls;
    if (this.#tokens < 0) await sleep((-this.#tokens / this.#perSecond) * 1_000);
  }

  #refill(): void {
    const nowMs = performance.now();
    const earned = ((nowMs - this.#refilledMs) / 1_000) * this.#perSecond;
    this.#tokens = Math.min(Math.max(1, this.#perSecond), this.#tokens + earned);
    this.#refilledMs = nowMs;
  }
}
