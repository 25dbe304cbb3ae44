/** A bounded number of requests in flight for each tenant, in this process. */
export class TenantSlots {
  private readonly taken = new Map<string, number>();

  constructor(private readonly maxOfTenant: number) {}

  /** The way to give the slot back, to be called once; or undefined when the tenant has taken all of its own. */
  take(tenantId: string): (() => void) | undefined {
    const taken = this.taken.get(tenantId) ?? 0;
    if (taken >= this.maxOfTenant) return undefined;
    this.taken.set(tenantId, taken + 1);
    return () => {
      const left = this.taken.get(tenantId)! - 1;
      if (left > 0) this.taken.set(tenantId, left);
      else this.taken.delete(tenantId);
    };
  }
}
