import type { PlacementEngine } from '@astro/matching/engine/engine';
import type { Hold } from '@astro/matching/engine/hold';
import type { PoolEvent } from '@astro/messages/scheduling';
import { PREEMPTION_NOTICE_MS } from '../pool-limits.js';
import { ended, jobOfLease, type Lease, type Pool } from '../pool-state.js';
import { BookedRoom, isFree } from './booked-room.js';
import type { Booking } from './booking.js';
import { bookingLimits, CLEARING_MS } from './booking-limits.js';

/**
 * Interruptible leases that would be in the way of a booking that starts soon get their notice. A late one is shorter,
 * because the capacity is promised from the start on.
 */
export function clearForBookings(pool: Pool, poolId: string, now: Date): readonly PoolEvent[] {
  const soonMs = now.getTime() + CLEARING_MS;
  const isSoon = ({ isStarted, startsAt }: Booking) => !isStarted && startsAt.getTime() < soonMs;
  if (![...pool.bookings.values()].some(isSoon)) return [];
  const booked = new BookedRoom(pool, now.getTime());
  const notices: PoolEvent[] = [];
  for (const nodeId of booked.nodesStartingBefore(soonMs)) {
    if (notices.length === bookingLimits.eventsOfTick) break;
    for (const { bookingId, startsAt } of booked.startingOn(nodeId, soonMs)) {
      const startMs = Math.max(startsAt.getTime(), now.getTime());
      const leases = inTheWayOf(pool, booked.bookedAt(nodeId, startMs), startMs);
      if (leases.length === 0) continue;
      const noticeUntil = new Date(Math.min(now.getTime() + PREEMPTION_NOTICE_MS, startMs));
      const notice = { poolId, leases: leases.map(ended), decidedAt: now, noticeUntil, ...forNoJob };
      notices.push({ type: 'LeasesPreempted', data: { ...notice, forBookingId: bookingId } });
      break;
    }
  }
  return notices;
}

const forNoJob = { forJobId: '', forTaskId: '', forLeaseClass: 'unspecified' } as const;

/** Those on the node without which all that is booked is free at the start; none where it is anyway. */
function inTheWayOf(pool: Pool, booked: Hold, startMs: number): readonly Lease[] {
  const { engine } = pool;
  const there = [...pool.nodes.get(booked.nodeId)!.leases].map(leaseId => pool.leases.get(leaseId)!);
  const isGoneBy = (lease: Lease) =>
    lease.deadline.getTime() <= startMs && (lease.isPreempted || !jobOfLease(pool, lease).service);
  const isToldOnce = (lease: Lease) =>
    pool.interruptible.has(lease) && !lease.isPreempted && !isGoneBy(lease);
  const staying = there.filter(isToldOnce).sort(mostInTheWay(booked));
  return engine.simulate(() => {
    for (const lease of there.filter(isGoneBy)) engine.release(lease.hold);
    const told: Lease[] = [];
    for (const lease of staying) {
      if (isFree(engine, booked)) break;
      engine.release(lease.hold);
      told.push(lease);
    }
    return told.filter(lease => !mayStay(engine, booked, lease));
  });
}

/** Of those told, whoever turns out not to be in the way stays; it keeps what it holds, then. */
function mayStay(engine: PlacementEngine, booked: Hold, lease: Lease): boolean {
  engine.take(lease.hold);
  if (isFree(engine, booked)) return true;
  engine.release(lease.hold);
  return false;
}

/** Who holds a booked device comes first, then who was granted last and so loses least. */
function mostInTheWay({ units }: Hold): (left: Lease, right: Lease) => number {
  const devices = new Set(units.map(({ unit }) => unit));
  const shares = ({ hold }: Lease) => (hold.units.some(({ unit }) => devices.has(unit)) ? 0 : 1);
  return (left, right) => shares(left) - shares(right) || right.fencingToken - left.fencingToken;
}
