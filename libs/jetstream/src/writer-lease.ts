import type { Bus } from './bus.js';
import { deleteKey, readKey, writeKey } from './expiring-key.js';
import { assertToken } from './subjects.js';

const STREAM = 'KV_writers';

/**
 * Which of several processes writes. The key vanishes by itself when its holder falls silent, so that
 * another one can take over. Two may believe for a moment that they hold it: what they write must be fenced
 * by expected positions.
 */
export class WriterLease {
  readonly #bus: Bus;
  readonly #subject: string;
  readonly #holder: string;
  readonly #ttlMs: number;
  #validUntilMs = 0;
  #revision = 0;

  /**
   * @param holder names this process alone
   * @param ttlMs at least 1,000, which is also the unit that the server counts in: it rounds up here
   */
  constructor(bus: Bus, key: string, holder: string, ttlMs: number) {
    if (ttlMs < 1_000) throw new Error('a lease lasts at least 1,000 ms');
    this.#bus = bus;
    this.#subject = `$KV.writers.${assertToken(key)}`;
    this.#holder = holder;
    this.#ttlMs = ttlMs;
  }

  /** Counted from before the last renewal was sent, so that it ends here before it ends on the server. */
  get isHeld(): boolean {
    return performance.now() < this.#validUntilMs;
  }

  /**
   * Takes the lease, or renews it; false when somebody else holds it.
   * @throws Error when the server gives no answer
   */
  async acquire(): Promise<boolean> {
    const { value, revision } = await readKey(this.#bus, STREAM, this.#subject);
    if (value !== undefined && value !== this.#holder) {
      this.#validUntilMs = 0;
      return false;
    }
    return this.#write(revision);
  }

  /**
   * Prolongs the lease, well before it ends; false when it is lost.
   * @throws Error when the server gives no answer
   */
  async renew(): Promise<boolean> {
    if (!this.isHeld) return this.acquire();
    return (await this.#write(this.#revision)) || this.acquire();
  }

  /** Lets another process take over at once. */
  async release(): Promise<void> {
    if (!this.isHeld) return;
    this.#validUntilMs = 0;
    await deleteKey(this.#bus, this.#subject, this.#revision);
  }

  async #write(expectedRevision: number): Promise<boolean> {
    const startedMs = performance.now();
    const ttlMs = this.#ttlMs;
    const revision = await writeKey(this.#bus, this.#subject, this.#holder, { expectedRevision, ttlMs });
    this.#validUntilMs = revision === undefined ? 0 : startedMs + ttlMs;
    if (revision === undefined) return false;
    this.#revision = revision;
    return true;
  }
}
