/** Amounts of each kind of resource, in the order of the pool's capacity; at most 16 kinds. */
export type Amounts = readonly number[];

export type FairShareRules = {
  /** What the whole pool has of each resource; every amount above zero. */
  readonly capacity: Amounts;
  /** After this long without use, half of what a tenant used is forgotten. */
  readonly halfLifeMs: number;
};

/** What is remembered of one tenant: what it holds of each resource, and the decayed average of that. */
export type TenantRecord = {
  readonly tenantId: string;
  readonly weight: number;
  readonly held: Amounts;
  readonly average: Amounts;
  readonly updatedMs: number;
};

type Tenant = { weight: number; readonly held: number[]; readonly average: number[]; updatedMs: number };

const RESOURCES_MAX = 16;
const TENANTS_MAX = 1_000_000;
/** A tenant that holds nothing and whose remembered share is below this may be forgotten. */
const FORGOTTEN_SHARE = 1e-6;

/**
 * Weighted dominant-resource fairness with history. A tenant's share of a resource is half what it holds now
 * and half the exponentially decayed average of what it held, over the pool's capacity; the largest of its
 * shares is its dominant one (Ghodsi et al., NSDI 2011). The average makes yesterday's heavy user wait for
 * today's newcomer; what is held now makes one tick fair in itself.
 */
export class FairShares {
  private readonly tenants = new Map<string, Tenant>();
  private weightSum = 0;

  constructor(private readonly rules: FairShareRules) {
    const { capacity, halfLifeMs } = rules;
    if (capacity.length === 0 || capacity.length > RESOURCES_MAX) {
      throw new RangeError(`capacity: 1 to ${RESOURCES_MAX} resources, not ${capacity.length}`);
    }
    if (!capacity.every(amount => Number.isFinite(amount) && amount > 0)) {
      throw new RangeError('capacity: every amount is finite and above zero');
    }
    if (!(halfLifeMs > 0 && Number.isFinite(halfLifeMs))) {
      throw new RangeError(`halfLifeMs: finite and above zero, not ${halfLifeMs}`);
    }
  }

  /** All that is remembered, as plain data: what `restore` takes. */
  record(): readonly TenantRecord[] {
    return [...this.tenants].map(([tenantId, { weight, held, average, updatedMs }]) => ({
      tenantId,
      weight,
      held: [...held],
      average: [...average],
      updatedMs,
    }));
  }

  /** Remembers what was recorded, in place of all that is remembered here. */
  restore(records: readonly TenantRecord[]): void {
    this.tenants.clear();
    this.weightSum = 0;
    for (const { tenantId, weight, held, average, updatedMs } of records) {
      this.tenants.set(tenantId, { weight, held: [...held], average: [...average], updatedMs });
      this.weightSum += weight;
    }
  }

  /** A tenant with weight 2 is entitled to twice what one with weight 1 is; the weight is 1 until set. */
  setWeight(tenantId: string, weight: number, atMs: number): void {
    if (!(weight > 0 && Number.isFinite(weight))) {
      throw new RangeError(`weight: finite and above zero, not ${weight}`);
    }
    const tenant = this.tenant(tenantId, atMs);
    this.weightSum += weight - tenant.weight;
    tenant.weight = weight;
  }

  hold(tenantId: string, amounts: Amounts, atMs: number): void {
    const tenant = this.upToDate(tenantId, atMs);
    tenant.held.forEach((held, resource) => (tenant.held[resource] = held + (amounts[resource] ?? 0)));
  }

  giveBack(tenantId: string, amounts: Amounts, atMs: number): void {
    const tenant = this.upToDate(tenantId, atMs);
    tenant.held.forEach((held, resource) => {
      const left = held - (amounts[resource] ?? 0);
      // Fractions of devices are floats: what rounding leaves is not use.
      tenant.held[resource] = left < 1e-9 ? 0 : left;
    });
  }

  /**
   * The tenant's dominant share over its entitlement, which is its weight among all tenants known: 1 is
   * exactly what it is entitled to, 0 nothing used. Asking changes nothing, so that who is asked more often does
   * not come to round otherwise.
   */
  useOfEntitlement(tenantId: string, atMs: number): number {
    const known = this.tenants.get(tenantId);
    if (!known) return 0;
    const { held, average, weight } = known;
    const kept = this.keptOf(known, atMs);
    const { capacity } = this.rules;
    let dominant = 0;
    for (let resource = 0; resource < capacity.length; resource++) {
      const share = (held[resource]! + decayed(average[resource]!, held[resource]!, kept)) / 2;
      dominant = Math.max(dominant, share / capacity[resource]!);
    }
    return (dominant * this.weightSum) / weight;
  }

  /** Forgets tenants that hold nothing and whose past use has faded. Call it now and then. */
  forgetIdle(atMs: number): void {
    const { capacity } = this.rules;
    for (const [tenantId, { weight }] of this.tenants) {
      const { held, average } = this.upToDate(tenantId, atMs);
      const isIdle = held.every(amount => amount === 0);
      if (!isIdle || average.some((amount, resource) => amount / capacity[resource]! > FORGOTTEN_SHARE))
        continue;
      this.tenants.delete(tenantId);
      this.weightSum -= weight;
    }
  }

  private upToDate(tenantId: string, atMs: number): Tenant {
    const tenant = this.tenant(tenantId, atMs);
    if (atMs <= tenant.updatedMs) return tenant;
    const kept = this.keptOf(tenant, atMs);
    tenant.average.forEach((average, resource) => {
      tenant.average[resource] = decayed(average, tenant.held[resource]!, kept);
    });
    tenant.updatedMs = atMs;
    return tenant;
  }

  /** Time never runs backwards for a tenant: reports can carry an earlier time than the tick before them. */
  private keptOf({ updatedMs }: Tenant, atMs: number): number {
    return 2 ** (-Math.max(0, atMs - updatedMs) / this.rules.halfLifeMs);
  }

  private tenant(tenantId: string, atMs: number): Tenant {
    const known = this.tenants.get(tenantId);
    if (known) return known;
    if (this.tenants.size >= TENANTS_MAX) throw new RangeError(`tenants: at most ${TENANTS_MAX}`);
    const nothing = () => this.rules.capacity.map(() => 0);
    const tenant = { weight: 1, held: nothing(), average: nothing(), updatedMs: atMs };
    this.tenants.set(tenantId, tenant);
    this.weightSum += 1;
    return tenant;
  }
}

const decayed = (average: number, held: number, kept: number): number => held + (average - held) * kept;
