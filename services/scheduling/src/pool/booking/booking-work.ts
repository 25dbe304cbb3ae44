import type { BookingEnd, PoolEvent, Result } from '@astro/messages/scheduling';
import { ended, type Pool } from '../pool-state.js';
import {
  isHoused,
  type Booking,
  type BookingUnit,
  type Home,
  type HousedUnit,
  type Served,
} from './booking.js';
import { BOOKING_PERIOD_MS, CANCELLATION_NOTICE_MS } from './booking-limits.js';
import { ceilSecondMs, floorSecondMs } from './whole-seconds.js';

/** A unit's node is gone at this time: what it held the unit for, in whole seconds, since charges were made last. */
export function servedBy(booking: Booking, unit: HousedUnit, goneAt: Date): Served | undefined {
  const { nodeId, operatorId } = unit.home;
  const untilMs = Math.min(floorSecondMs(goneAt), booking.spec.endsAt.getTime());
  const seconds = (untilMs - heldFromMs(booking, unit.home)) / 1_000;
  const { pricePerSecondAtto } = unit;
  return seconds > 0 ? { nodeId, operatorId, pricePerSecondAtto, seconds } : undefined;
}

const heldFromMs = ({ meteredUntil }: Booking, { since }: Home): number =>
  Math.max(ceilSecondMs(since), meteredUntil.getTime());

/** What is charged for the time until then: what was held for the tenant, used or not. */
function workUntil(booking: Booking, untilMs: number): readonly Result[] {
  const now = booking.units.filter(isHoused).map(({ home, pricePerSecondAtto }) => {
    const seconds = Math.max(0, (untilMs - heldFromMs(booking, home)) / 1_000);
    return { nodeId: home.nodeId, operatorId: home.operatorId, pricePerSecondAtto, seconds };
  });
  return [...booking.served, ...now]
    .filter(({ seconds }) => seconds > 0)
    .map(({ nodeId, operatorId, pricePerSecondAtto, seconds }) => ({
      leaseId: booking.bookingId,
      nodeId,
      operatorId,
      fault: 'none' as const,
      digest: '',
      outputs: [],
      meteredMs: seconds * 1_000,
      pricePerSecondAtto,
    }));
}

/** The end of the period that is running. */
export const periodEndMs = ({ meteredUntil }: Booking): number => meteredUntil.getTime() + BOOKING_PERIOD_MS;

export function metered(booking: Booking, poolId: string): PoolEvent {
  const { bookingId, tenantId, charges } = booking;
  const meteredUntil = new Date(periodEndMs(booking));
  const work = workUntil(booking, meteredUntil.getTime());
  const data = { poolId, bookingId, tenantId, chargeNumber: charges + 1, work, meteredUntil };
  return { type: 'BookingMetered', data };
}

type End = { readonly poolId: string; readonly reason: BookingEnd; readonly at: Date };

/** The capacity is given back, and the last of it is charged. */
export function endOf(pool: Pool, booking: Booking, { poolId, reason, at }: End): PoolEvent {
  const { bookingId, tenantId, charges } = booking;
  const untilMs = paidUntilMs(booking, reason, at);
  const work = untilMs === undefined ? [] : workUntil(booking, untilMs);
  const leases = [...pool.leases.values()].filter(lease => lease.bookingId === bookingId);
  return {
    type: 'BookingEnded',
    data: {
      poolId,
      bookingId,
      tenantId,
      reason,
      chargeNumber: charges + 1,
      work,
      charges: charges + work.length,
      revoked: leases.map(ended),
      endedAt: at,
    },
  };
}

/** What is cancelled is paid as if it ended a while later; what its tenant could not use yet, not at all. */
function paidUntilMs({ isConfirmed, spec }: Booking, reason: BookingEnd, at: Date): number | undefined {
  const endsMs = spec.endsAt.getTime();
  if (!isConfirmed) return undefined;
  return reason === 'cancelled' ? Math.min(endsMs, ceilSecondMs(at) + CANCELLATION_NOTICE_MS) : endsMs;
}

/** Takes a unit from its node. */
export function unhouse(booking: Booking, unit: BookingUnit, goneAt: Date | undefined): void {
  const served = goneAt && isHoused(unit) ? servedBy(booking, unit, goneAt) : undefined;
  if (served) booking.served.push(served);
  unit.home = undefined;
  unit.isKnownAway = false;
}
