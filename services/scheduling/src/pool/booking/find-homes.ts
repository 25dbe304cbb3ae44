import type { PlacementEngine, Placement } from '@astro/matching/engine/engine';
import { placeGang } from '@astro/matching/engine/gang';
import { plainRequest, type TaskRequest } from '@astro/matching/engine/request';
import type { BookedUnit, BookingSpec } from '@astro/messages/scheduling';
import { heldUnit } from '../fleet.js';
import { domainOf, placeIn } from '../gang.js';
import { needsOf } from '../needs.js';
import type { Pool } from '../pool-state.js';
import { BookedRoom } from './booked-room.js';
import { workOf } from './booking.js';
import { CLEARING_MS } from './booking-limits.js';

/** Units that need nodes from some moment to the end of the booking. */
export type Homeless = {
  readonly spec: BookingSpec;
  readonly from: Date;
  readonly units: readonly {
    readonly number: number;
    /** The most that the unit may cost in a second. */
    readonly priceCapAtto: bigint;
  }[];
  /** What a unit costs over the node's own price, in thousandths. */
  readonly priceFactor: number;
  /** Where the other units are. */
  readonly beside: readonly { readonly nodeId: string; readonly operatorId: string }[];
};
export type FoundHome = { readonly number: number; readonly placed: Placement };

/**
 * Where the units would be at home: on capacity that nobody else is promised between then and the end, and that is
 * free at the beginning, because every lease on it has ended by then or can be told in time to go. Leases end by their
 * deadlines whatever happens, so that this promise does not slip.
 */
export function findHomes(pool: Pool, homeless: Homeless, now: Date): readonly FoundHome[] {
  const { spec, from, units, beside } = homeless;
  const fromMs = from.getTime();
  const isTimeToClear = fromMs - now.getTime() >= CLEARING_MS;
  const fleet = isTimeToClear ? pool.room.firm : pool.engine;
  return pool.room.simulate(() => {
    releaseEnded(pool, fleet, fromMs);
    new BookedRoom(pool, fromMs, [fleet]).keepUntil(spec.endsAt.getTime());
    const requests = requestsFor(homeless);
    if (beside.length > 0) return placeBeside(fleet, homeless, requests);
    const placed = placeTogether(fleet, spec, requests);
    return placed.map((placement, index) => ({ number: units[index]!.number, placed: placement }));
  });
}

/** Those of services are renewed, so that nothing can be promised by their deadlines. */
function releaseEnded(pool: Pool, fleet: PlacementEngine, fromMs: number): void {
  for (const lease of pool.byDeadline) {
    if (lease.deadline.getTime() > fromMs) return;
    const isThere = fleet === pool.engine || !pool.interruptible.has(lease);
    if (isThere && !pool.jobs.get(lease.jobId)?.service) fleet.release(lease.hold);
  }
}

function requestsFor({ spec, from, units, priceFactor }: Homeless): readonly TaskRequest[] {
  return units.map(({ number, priceCapAtto: maxPricePerSecondAtto }) => {
    const work = workOf({ ...spec, requirements: { ...spec.requirements, maxPricePerSecondAtto } }, from);
    return plainRequest(String(number), { ...needsOf(work, priceFactor), datasets: [] }, from.getTime());
  });
}

/** All or none. */
function placeTogether(
  fleet: PlacementEngine,
  { topology, hasDistinctOperators: distinctOperators }: BookingSpec,
  members: readonly TaskRequest[],
): readonly Placement[] {
  const kind = topology === 'unspecified' ? 'any' : topology;
  const placed = placeGang(fleet, { gangId: '', members, topology: kind, distinctOperators });
  return typeof placed === 'string' ? [] : placed;
}

/** As many as there is room for, each where the others are if they must be together. */
function placeBeside(
  fleet: PlacementEngine,
  { spec, units, beside }: Homeless,
  requests: readonly TaskRequest[],
): readonly FoundHome[] {
  const domain = domainOf(fleet, beside[0]!.nodeId, spec.topology) ?? { isIn: () => true };
  const operators = new Set(spec.hasDistinctOperators ? beside.map(({ operatorId }) => operatorId) : []);
  const found: FoundHome[] = [];
  for (const [index, request] of requests.entries()) {
    const [placed] = placeIn(fleet, [{ ...request, operatorsExcluded: new Set(operators) }], domain);
    if (!placed) continue;
    if (spec.hasDistinctOperators) operators.add(placed.operatorId);
    found.push({ number: units[index]!.number, placed });
  }
  return found;
}

export const bookedUnit = ({ number, placed }: FoundHome, pricePerSecondAtto: bigint): BookedUnit => ({
  number,
  nodeId: placed.nodeId,
  operatorId: placed.operatorId,
  pricePerSecondAtto,
  held: placed.hold.units.map(heldUnit),
});
