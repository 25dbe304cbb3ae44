export type ExpectedEnd = { readonly endsMs: number };

/**
 * When something fits, were running leases to end as expected and nothing else to start. `running` is sorted
 * by its ends; `free` gives one lease's capacity back, for good: the caller passes a copy of its capacity or
 * undoes it afterwards. Leases that end together are given back together. Nothing when it does not fit even
 * then.
 */
export function earliestFit<Lease extends ExpectedEnd, Fit>(
  running: readonly Lease[],
  free: (lease: Lease) => void,
  fit: () => Fit | undefined,
): { readonly fromMs: number; readonly fit: Fit } | undefined {
  for (const [index, lease] of running.entries()) {
    free(lease);
    if (running[index + 1]?.endsMs === lease.endsMs) continue;
    const found = fit();
    if (found !== undefined) return { fromMs: lease.endsMs, fit: found };
  }
  return undefined;
}
