import type { Assignment } from '@astro/messages/agent';
import { delay } from '@astro/jetstream/delay';
import { reasonOf } from '@astro/jetstream/log';
import type { ReplicaExecution } from '../reconcile/execute-replica.js';

const AGAIN_AFTER_MS = 1_000;

/** Tells the platform how a replica is, one report after the other: what changed back meanwhile is not told at all. */
export class HealthTeller {
  readonly #assignment: Assignment;
  readonly #execution: ReplicaExecution;
  readonly #signal: AbortSignal;
  /** Why it is not healthy; undefined while it is. */
  #flaw: string | undefined = 'not told yet';
  #isToldHealthy = false;
  #telling: Promise<void> | undefined;

  constructor(assignment: Assignment, execution: ReplicaExecution, signal: AbortSignal) {
    this.#assignment = assignment;
    this.#execution = execution;
    this.#signal = signal;
  }

  tell(flaw: string | undefined): void {
    this.#flaw = flaw;
    this.#telling ??= this.#tellAll().finally(() => (this.#telling = undefined));
  }

  /** Nothing is being told any more. */
  get closed(): Promise<void> {
    return this.#telling ?? Promise.resolve();
  }

  async #tellAll(): Promise<void> {
    const { poolId, leaseId, fencingToken } = this.#assignment;
    const lease = { poolId, leaseId, fencingToken };
    while (this.#isToldHealthy !== (this.#flaw === undefined) && !this.#signal.aborted) {
      const flaw = this.#flaw;
      try {
        await this.#execution.report(
          flaw === undefined
            ? { type: 'ReplicaHealthy', data: lease }
            : { type: 'ReplicaUnhealthy', data: { ...lease, reason: flaw } },
        );
        this.#isToldHealthy = flaw === undefined;
      } catch (error) {
        this.#execution.log.warn('how a replica is was not told yet', { leaseId, reason: reasonOf(error) });
        await delay(AGAIN_AFTER_MS, this.#signal);
      }
    }
  }
}
