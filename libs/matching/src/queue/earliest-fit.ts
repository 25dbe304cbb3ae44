export type ExpectedEnd = { readonly endsMs: number };

export type EarliestFit<Fit> = {
  /** It fits from here on. */
  readonly fromMs: number;
  /** It was looked at last then and did not fit yet; absent when the first look found it. */
  readonly notYetMs?: number;
  readonly fit: Fit;
};

/**
 * When something fits, were running leases to end as expected and nothing else to start. `running` is sorted
 * by its ends; `free` gives one lease's capacity back, for good: the caller passes a copy of its capacity or
 * undoes it afterwards. Leases that end together are given back together. Nothing when it does not fit even
 * then.
 *
 * @param looksMax how often it is asked at most whether it fits by now; the answer is that much coarser
 */
export function earliestFit<Lease extends ExpectedEnd, Fit>(
  running: readonly Lease[],
  free: (lease: Lease) => void,
  fit: () => Fit | undefined,
  looksMax = Number.POSITIVE_INFINITY,
): EarliestFit<Fit> | undefined {
  const leasesBetweenLooks = Math.max(1, Math.ceil(running.length / looksMax));
  let unseen = 0;
  let notYetMs: number | undefined;
  for (const [index, lease] of running.entries()) {
    free(lease);
    unseen += 1;
    const next = running[index + 1];
    if (next && (unseen < leasesBetweenLooks || next.endsMs === lease.endsMs)) continue;
    const found = fit();
    if (found !== undefined) {
      return { fromMs: lease.endsMs, fit: found, ...(notYetMs !== undefined && { notYetMs }) };
    }
    [unseen, notYetMs] = [0, lease.endsMs];
  }
  return undefined;
}
