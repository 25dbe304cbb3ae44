import type { Log } from '@astro/jetstream/log';
import type { MaintenanceWindow } from '@astro/messages/registry';
import { nextToEvict, shortageOf, type Evictable, type Left, type Shortage } from './pressure.js';

/** For so long a node that runs short says that it takes nothing; said again while it lasts. */
const WITHHELD_MS = 10 * 60_000;

export type PressureParts = {
  /** What the host has left now. */
  left(): Promise<Left>;
  /** Below which it is short, as its operator says now. */
  least(): Promise<Left>;
  evictable(): readonly Evictable[];
  /** Resolves when the lease has ended and its node has said so. */
  evict(leaseId: string, why: string): Promise<void>;
  readonly log: Log;
};

const names: Readonly<Record<Shortage, string>> = { memoryMib: 'memory', diskMib: 'disk' };

/**
 * Whether the host runs short. While it does, its node takes no more work and ends leases one at a time, until there is
 * room or none is left.
 */
export class PressureWatch {
  readonly #parts: PressureParts;
  #shortage: Shortage | undefined;
  #withheld: MaintenanceWindow | undefined;

  constructor(parts: PressureParts) {
    this.#parts = parts;
  }

  /** Windows in which the node offers nothing, the earliest first. */
  get withheld(): readonly MaintenanceWindow[] {
    return this.#withheld ? [this.#withheld] : [];
  }

  /**
   * One look at the host; at most one lease is ended by it.
   * @param told is called once what the node offers has changed, before anything is ended
   */
  async look(now: Date, told: () => Promise<void>): Promise<void> {
    const { left, least, evictable, evict, log } = this.#parts;
    const [here, wanted] = [await left(), await least()];
    const shortage = shortageOf(here, wanted, this.#shortage);
    if (shortage !== this.#shortage) {
      if (shortage) log.warn('the host runs short', { of: names[shortage], leftMib: here[shortage] });
      else log.info('the host has room again');
    }
    this.#shortage = shortage;
    if (this.#withhold(now)) await told();
    const next = shortage && nextToEvict(evictable());
    if (!next) return;
    const why = `${here[shortage]} MiB of ${names[shortage]} left, ${wanted[shortage]} needed`;
    log.warn('a lease is evicted', { leaseId: next.leaseId, why });
    await evict(next.leaseId, why);
  }

  /** Whether that is otherwise than before. */
  #withhold(now: Date): boolean {
    const before = this.#withheld;
    if (!this.#shortage) this.#withheld = undefined;
    else if (!before || before.until.getTime() - now.getTime() < WITHHELD_MS / 2)
      this.#withheld = { from: now, until: new Date(now.getTime() + WITHHELD_MS) };
    return this.#withheld !== before;
  }
}
