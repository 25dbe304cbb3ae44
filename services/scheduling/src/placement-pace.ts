import { needsTick, nextDueAt } from './pool/place.js';
import type { Pool } from './pool/pool-state.js';

type Seen = { readonly state: Pool; readonly position: number };

/** More than any patience that can be configured, and the most that a command carries. */
export const BOUNDLESS_PATIENCE_MS = 0xffff_ffff;

/**
 * Whether a tick is worth its while, and with what patience. A tick that found nothing to do is not repeated
 * until the pool has changed or time alone would change its answer.
 */
export class PlacementPace {
  readonly #patienceMs: number;
  #nodesLost = 0;
  #lossAt: Date;
  #idle: { readonly position: number; readonly until: Date | undefined } | undefined;

  constructor(patienceMs: number, startedAt: Date) {
    this.#patienceMs = patienceMs;
    // While nobody placed, nodes may have come and gone: they get their time to come back.
    this.#lossAt = startedAt;
  }

  /** The patience for a tick now; nothing when none is needed. */
  patienceFor({ state, position }: Seen, now: Date): number | undefined {
    if (state.nodesLost !== this.#nodesLost) this.#lossAt = now;
    this.#nodesLost = state.nodesLost;
    if (!needsTick(state, now) || this.#isIdle(position, now)) return undefined;
    return this.#isRecovering(now) ? BOUNDLESS_PATIENCE_MS : this.#patienceMs;
  }

  /** A tick over this state found nothing to do. */
  foundNothing({ state, position }: Seen, now: Date): void {
    const dueAt = nextDueAt(state, now, this.#patienceMs);
    const recoveredAt = this.#isRecovering(now) ? this.#recoveredAt : undefined;
    const until = dueAt && recoveredAt ? (dueAt < recoveredAt ? dueAt : recoveredAt) : (dueAt ?? recoveredAt);
    this.#idle = { position, until };
  }

  #isIdle(position: number, now: Date): boolean {
    if (this.#idle?.position !== position) return false;
    return this.#idle.until === undefined || now < this.#idle.until;
  }

  /**
   * No job is given up for want of a node that has just been lost: a restart takes a node away for a moment
   * only.
   */
  #isRecovering(now: Date): boolean {
    return now < this.#recoveredAt;
  }

  get #recoveredAt(): Date {
    return new Date(this.#lossAt.getTime() + this.#patienceMs);
  }
}
