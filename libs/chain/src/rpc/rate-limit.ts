import { setTimeout as sleep } from 'node:timers/promises';

/** Longer than the second that endpoints count in, since what is sent apart may arrive together. */
const windowMs = 1_100;

type Sent = { readonly expiresMs: number; readonly calls: number };

/** At most so many calls in any second, whenever the second begins. Who comes later waits. */
export class RateLimit {
  readonly #perSecond: number;
  /** Within the last second, oldest first: at most as many as the calls of one second. */
  #sent: Sent[] = [];
  #last: Promise<void> = Promise.resolve();

  constructor(perSecond: number) {
    if (!(perSecond > 0)) throw new RangeError(`perSecond: must be above 0, not ${perSecond}`);
    this.#perSecond = perSecond;
  }

  /** Resolves when `calls` of them may be sent, first come first served. More than fit in a second go alone. */
  take(calls: number): Promise<void> {
    this.#last = this.#last.then(() => this.#take(calls));
    return this.#last;
  }

  async #take(calls: number): Promise<void> {
    for (;;) {
      const nowMs = performance.now();
      this.#sent = this.#sent.filter(({ expiresMs }) => expiresMs > nowMs);
      const counted = this.#sent.reduce((sum, sent) => sum + sent.calls, 0);
      const [oldest] = this.#sent;
      if (oldest === undefined || counted + calls <= this.#perSecond) break;
      await sleep(Math.max(1, oldest.expiresMs - nowMs));
    }
    // What is above the limit by itself counts for as long as it would have taken.
    const spanMs = windowMs * Math.max(1, calls / this.#perSecond);
    this.#sent.push({ expiresMs: performance.now() + spanMs, calls });
  }
}
