/** What a node may say of one lease, whatever its agent does: about twice what an honest one says at most. */
export const logBounds = {
  messagesInWindow: 16,
  windowMs: 1_000,
  bytesOfLease: 2 * 1_048_576,
  /** Leases that are counted; who is forgotten begins anew, and the stream keeps no more of it than of any. */
  leases: 10_000,
} as const;

type Heard = { windowSinceMs: number; messages: number; bytes: number };

/** Counts what is said of each lease, by the bus's clock. */
export class LogBounds {
  readonly #heard = new Map<string, Heard>();

  /** Whether it may be kept. What may not is not counted, so that a flood does not end what comes after it. */
  takes(leaseId: string, bytes: number, at: Date): boolean {
    const heard = this.#of(leaseId);
    if (at.getTime() - heard.windowSinceMs >= logBounds.windowMs) {
      heard.windowSinceMs = at.getTime();
      heard.messages = 0;
    }
    const isTooMuch =
      heard.messages === logBounds.messagesInWindow || heard.bytes + bytes > logBounds.bytesOfLease;
    if (isTooMuch) return false;
    heard.messages += 1;
    heard.bytes += bytes;
    return true;
  }

  /** The one that was heard of longest ago is forgotten first. */
  #of(leaseId: string): Heard {
    const known = this.#heard.get(leaseId) ?? { windowSinceMs: 0, messages: 0, bytes: 0 };
    this.#heard.delete(leaseId);
    this.#heard.set(leaseId, known);
    const [oldest] = this.#heard.keys();
    if (this.#heard.size > logBounds.leases) this.#heard.delete(oldest!);
    return known;
  }
}
