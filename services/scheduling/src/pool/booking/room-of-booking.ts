import { PlacementEngine } from '@astro/matching/engine/engine';
import type { Hold } from '@astro/matching/engine/hold';
import { wholeShare } from '@astro/matching/engine/shape';
import type { JobSpec } from '@astro/messages/scheduling';
import { holdOf } from '../fleet.js';
import type { PoolJob } from '../pool-job.js';
import { LEASE_GRACE_MS } from '../pool-limits.js';
import { poolWeights, tightFit } from '../policy.js';
import type { Pool } from '../pool-state.js';
import { both } from './booked-room.js';
import { holdOfUnit, isHoused, type Booking } from './booking.js';

/** Few nodes and few demands, for one tick. */
const CACHE_BITS = 10;

/**
 * What is booked as a fleet of its own: its nodes, of which everything else is taken. So work in it finds room by the
 * same rules as everywhere, gangs and replicas included, and can never have more than was booked. It is made for one
 * decision, and thrown away.
 */
export function roomOf(pool: Pool, booking: Booking, leases: 'live' | 'none' = 'live'): PlacementEngine {
  const room = new PlacementEngine({ policy: tightFit, weights: poolWeights, cacheBits: CACHE_BITS });
  const holds = booking.units.filter(isHoused).map(unit => holdOfUnit(pool.engine, booking, unit));
  for (const [nodeId, held] of Map.groupBy(holds, hold => hold.nodeId)) {
    // It is paid already, so that no cap keeps a job from it.
    const free = { pricePerDeviceSecondAtto: 0n, interruptiblePriceAtto: 0n };
    room.addNode({ ...pool.nodes.get(nodeId)!.engineOffer, ...free });
    room.take(restOf(room, held.reduce(both)));
  }
  if (leases === 'none') return room;
  for (const lease of pool.leases.values()) {
    if (lease.bookingId !== booking.bookingId) continue;
    const { requirements } = pool.jobs.get(lease.jobId)!.spec;
    room.take(holdOf(room, lease.nodeId, requirements, lease.units));
  }
  return room;
}

/** All of an idle node but this. */
function restOf({ fleet }: PlacementEngine, kept: Hold): Hold {
  const { columns } = fleet;
  const slot = fleet.slotOf(kept.nodeId)!;
  const { cpuMillis, memoryMib, origins } = columns.shapeOf(slot);
  return {
    nodeId: kept.nodeId,
    cpuMillis: cpuMillis - kept.cpuMillis,
    memoryMib: memoryMib - kept.memoryMib,
    diskMib: columns.diskMib[slot]! - kept.diskMib,
    bandwidthMbps: columns.bandwidthMbps[slot]! - kept.bandwidthMbps,
    units: origins.flatMap((origin, unit) => {
      const share = kept.units.find(held => held.unit === unit)?.shareThousandths ?? 0;
      return share < wholeShare ? [{ unit, ...origin, shareThousandths: wholeShare - share }] : [];
    }),
  };
}

/** The booking that the job may run in now; undefined when it is not there yet, or not any more. */
export function openBookingOf({ bookings }: Pool, { tenantId, spec }: PoolJob): Booking | undefined {
  const booking = spec.bookingId === undefined ? undefined : bookings.get(spec.bookingId);
  return booking?.tenantId === tenantId && booking.isStarted ? booking : undefined;
}

/** Whether a lease that is granted now, or at the start, ends with the booking at the latest. */
export function endsInTime(
  { startsAt, spec: { endsAt } }: Booking,
  { program }: JobSpec,
  now: Date,
): boolean {
  const beginMs = Math.max(now.getTime(), startsAt.getTime());
  return beginMs + program.timeLimitMs + LEASE_GRACE_MS <= endsAt.getTime();
}
