export type InterruptibleLease = {
  readonly leaseId: string;
  /** The node, or the group of nodes, whose capacity it gives back: what the waiting task needs in one place. */
  readonly placeId: string;
  /** Work that is lost when it stops now: what has run since its last checkpoint, times what it holds. */
  readonly lostWork: number;
};

export type PreemptionPlan = {
  readonly placeId: string;
  /** To be told to stop, in the order of their ids. */
  readonly leaseIds: readonly string[];
  readonly lostWork: number;
  /** They may run until then; the capacity is the waiting task's from then on. */
  readonly stopAtMs: number;
};

export type PreemptionRequest<Lease extends InterruptibleLease> = {
  /** Only leases that agreed to be interrupted. */
  readonly leases: readonly Lease[];
  /**
   * Whether the waiting task would fit at the place with these leases gone. It must be monotone: what fits
   * with some gone also fits with more gone.
   */
  readonly fits: (placeId: string, gone: readonly Lease[]) => boolean;
  readonly nowMs: number;
  readonly noticeMs: number;
  /** More than so many leases are never stopped for one task. */
  readonly leasesMax: number;
};

/** Up to so many leases of one place every combination is tried, which finds the least lost work for certain. */
const EXHAUSTIVE_MAX = 12;

/**
 * Which interruptible leases to stop so that a waiting task fits in ONE place: the place and the leases with
 * the least lost work, then with the fewest leases, then the first by id. No lease of a plan can be left out
 * of it: nobody is stopped in vain; where the task fits already the plan stops nobody. Nothing when no place
 * would do, however many stopped.
 *
 * A place with more than 12 interruptible leases is planned greedily (dearest spared first), which is
 * minimal but not always the least.
 */
export function planPreemption<Lease extends InterruptibleLease>(
  request: PreemptionRequest<Lease>,
): PreemptionPlan | undefined {
  const { leases, nowMs, noticeMs } = request;
  for (const { leaseId, lostWork } of leases) {
    if (!(lostWork >= 0)) throw new RangeError(`lostWork of ${leaseId}: zero or more, not ${lostWork}`);
  }
  let best: { readonly placeId: string; readonly gone: readonly Lease[] } | undefined;
  for (const [placeId, there] of byPlace(leases)) {
    if (request.fits(placeId, [])) return { placeId, leaseIds: [], lostWork: 0, stopAtMs: nowMs };
    const gone = leastLost(placeId, there, request, best?.gone);
    if (gone) best = { placeId, gone };
  }
  if (!best) return undefined;
  const leaseIds = best.gone.map(({ leaseId }) => leaseId).sort();
  return { placeId: best.placeId, leaseIds, lostWork: lostBy(best.gone), stopAtMs: nowMs + noticeMs };
}

/** The best choice of the place, when it is better than the best of the places before. */
function leastLost<Lease extends InterruptibleLease>(
  placeId: string,
  there: readonly Lease[],
  { fits, leasesMax }: PreemptionRequest<Lease>,
  bestSoFar: readonly Lease[] | undefined,
): readonly Lease[] | undefined {
  if (!fits(placeId, there)) return undefined;
  const cheapestFirst = [...there].sort(cheaper);
  const fitsHere = (gone: readonly Lease[]) => fits(placeId, gone);
  if (there.length <= EXHAUSTIVE_MAX) return leastOfAll(cheapestFirst, fitsHere, leasesMax, bestSoFar);
  const gone = spare(cheapestFirst.reverse(), fitsHere);
  const isAllowed = gone.length > 0 && gone.length <= leasesMax;
  return isAllowed && (!bestSoFar || compareGone(gone, bestSoFar) < 0) ? gone : undefined;
}

/** Every combination, by branch and bound: what loses no less than the best is not followed. */
function leastOfAll<Lease extends InterruptibleLease>(
  cheapestFirst: readonly Lease[],
  fits: (gone: readonly Lease[]) => boolean,
  leasesMax: number,
  bestSoFar: readonly Lease[] | undefined,
): readonly Lease[] | undefined {
  let best = bestSoFar;
  const follow = (gone: readonly Lease[], next: number): void => {
    for (let index = next; index < cheapestFirst.length; index++) {
      const more = [...gone, cheapestFirst[index]!];
      // The leases that follow lose no less than this one.
      if (best && lostBy(more) > lostBy(best)) return;
      if (!fits(more)) {
        if (more.length < leasesMax) follow(more, index + 1);
      } else if (!best || compareGone(more, best) < 0) {
        best = more;
      }
    }
  };
  if (leasesMax > 0) follow([], 0);
  return best === bestSoFar ? undefined : best;
}

/** From all of them, the dearest first, whoever need not go is spared. */
function spare<Lease>(
  dearestFirst: readonly Lease[],
  fits: (gone: readonly Lease[]) => boolean,
): readonly Lease[] {
  let gone = dearestFirst;
  for (const lease of dearestFirst) {
    const without = gone.filter(other => other !== lease);
    if (fits(without)) gone = without;
  }
  return gone;
}

function byPlace<Lease extends InterruptibleLease>(leases: readonly Lease[]): Map<string, Lease[]> {
  const places = new Map<string, Lease[]>();
  for (const lease of leases) {
    const there = places.get(lease.placeId);
    if (there) there.push(lease);
    else places.set(lease.placeId, [lease]);
  }
  return places;
}

const lostBy = (gone: readonly InterruptibleLease[]) => gone.reduce((sum, { lostWork }) => sum + lostWork, 0);

const cheaper = (a: InterruptibleLease, b: InterruptibleLease) =>
  a.lostWork - b.lostWork || compareText(a.leaseId, b.leaseId);

const compareGone = (a: readonly InterruptibleLease[], b: readonly InterruptibleLease[]) =>
  lostBy(a) - lostBy(b) || a.length - b.length || compareText(idsOf(a), idsOf(b));

const idsOf = (gone: readonly InterruptibleLease[]) =>
  gone
    .map(({ leaseId }) => leaseId)
    .sort()
    .join('\n');

const compareText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
