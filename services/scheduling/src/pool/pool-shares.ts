import { FairShares, type Amounts, type TenantRecord } from '@astro/matching/queue/fair-shares';
import type { Inventory } from '@astro/messages/registry';
import type { JobSpec } from '@astro/messages/scheduling';
import { heldPermille } from './needs.js';

const HALF_LIFE_MS = 3_600_000;

/** Thousandths of cores, MiB of memory, thousandths of devices other than CPUs. */
export const demandOf = (spec: JobSpec): Amounts => {
  const { deviceKind, cpuMillis, memoryMib } = spec.requirements;
  return [cpuMillis, memoryMib, deviceKind === 'cpu' ? 0 : Number(heldPermille(spec))];
};

const offered = ({ cpuMillis, memoryMib, devices }: Inventory): Amounts => [
  cpuMillis,
  memoryMib,
  1_000 *
    devices.reduce((units, { kind, slices }) => units + (kind === 'cpu' ? 0 : Math.max(1, slices.length)), 0),
];

export type SharesRecord = {
  readonly nowMs: number;
  readonly capacity: Amounts;
  readonly tenants: readonly TenantRecord[];
};

/**
 * Which tenant has how much of the pool, now and lately. Times are those of events, which never go back here:
 * an event that tells an earlier time counts as happening with the last.
 */
export class PoolShares {
  // Every amount stays above zero, so that an empty pool has shares too.
  readonly #capacity = [1, 1, 1];
  readonly #shares = new FairShares({ capacity: this.#capacity, halfLifeMs: HALF_LIFE_MS });
  #nowMs = 0;

  get capacity(): Amounts {
    return this.#capacity;
  }

  offer(inventory: Inventory): void {
    offered(inventory).forEach((amount, index) => (this.#capacity[index]! += amount));
  }

  withdraw(inventory: Inventory): void {
    offered(inventory).forEach((amount, index) => (this.#capacity[index]! -= amount));
  }

  record(): SharesRecord {
    return { nowMs: this.#nowMs, capacity: [...this.#capacity], tenants: this.#shares.record() };
  }

  static from({ nowMs, capacity, tenants }: SharesRecord): PoolShares {
    const shares = new PoolShares();
    shares.#nowMs = nowMs;
    capacity.forEach((amount, index) => (shares.#capacity[index] = amount));
    shares.#shares.restore(tenants);
    return shares;
  }

  passed(at: Date): void {
    this.#nowMs = Math.max(this.#nowMs, at.getTime());
  }

  hold(tenantId: string, spec: JobSpec): void {
    this.#shares.hold(tenantId, demandOf(spec), this.#nowMs);
  }

  giveBack(tenantId: string, spec: JobSpec): void {
    this.#shares.giveBack(tenantId, demandOf(spec), this.#nowMs);
  }

  /** Tenants that hold nothing and have not for long need not be remembered. */
  forgetIdle(): void {
    this.#shares.forgetIdle(this.#nowMs);
  }

  /** As of the last event, so that the passing of ticks that decide nothing changes nothing. */
  useOfEntitlement(tenantId: string): number {
    return this.#shares.useOfEntitlement(tenantId, this.#nowMs);
  }
}

/** What a tick has given away so far, on top of what is recorded. */
export class TickShares {
  readonly #given = new Map<string, number[]>();

  constructor(private readonly recorded: PoolShares) {}

  give(tenantId: string, spec: JobSpec): void {
    const given = this.#given.get(tenantId) ?? [0, 0, 0];
    demandOf(spec).forEach((amount, index) => (given[index]! += amount));
    this.#given.set(tenantId, given);
  }

  /** Grows as the tick gives. What is held counts half, its average over time the other half. */
  useOfEntitlement(tenantId: string): number {
    const given = this.#given.get(tenantId) ?? [];
    const { capacity } = this.recorded;
    const dominant = Math.max(0, ...given.map((amount, index) => amount / 2 / capacity[index]!));
    return this.recorded.useOfEntitlement(tenantId) + dominant * this.#given.size;
  }
}
