import type { PoolEvent } from '@astro/messages/scheduling';
import { idlePriceFactorOf } from '../market.js';
import type { Pool } from '../pool-state.js';
import { isHoused, workOf, type Booking } from './booking.js';
import { bookingLimits, CLEARING_MS, PAYMENT_PATIENCE_MS } from './booking-limits.js';
import { endOf, metered, periodEndMs } from './booking-work.js';
import { clearForBookings } from './clear-for-bookings.js';
import { bookedUnit, findHomes } from './find-homes.js';

/**
 * What a tick does about bookings, of which it does the first that there is to do: what is in the way of one that
 * starts soon is told to go; they start, are charged and end by the time; a unit without a node gets another one.
 */
export function bookingsDue(pool: Pool, poolId: string, now: Date): readonly PoolEvent[] {
  if (pool.bookings.size === 0) return [];
  const notices = clearForBookings(pool, poolId, now);
  if (notices.length > 0) return notices;
  const steps: PoolEvent[] = [];
  for (const booking of pool.bookings.values()) {
    if (steps.length === bookingLimits.eventsOfTick) break;
    const step = stepOf(pool, booking, poolId, now);
    if (step) steps.push(step);
  }
  return steps.length > 0 ? steps : moveUnits(pool, poolId, now);
}

function stepOf(pool: Pool, booking: Booking, poolId: string, now: Date): PoolEvent | undefined {
  const { bookingId, tenantId, isConfirmed, isStarted } = booking;
  const isPast = (ms: number) => now.getTime() > ms;
  if (!isConfirmed)
    return isPast(payableUntilMs(booking))
      ? endOf(pool, booking, { poolId, reason: 'unpaid', at: now })
      : undefined;
  if (isPast(booking.spec.endsAt.getTime()))
    return endOf(pool, booking, { poolId, reason: 'completed', at: now });
  // Leases end by their deadlines, at which they still count: what begins there begins thereafter.
  if (!isStarted && isPast(booking.startsAt.getTime()))
    return { type: 'BookingStarted', data: { poolId, bookingId, tenantId, startedAt: now } };
  return isStarted && isPast(periodEndMs(booking)) ? metered(booking, poolId) : undefined;
}

const payableUntilMs = ({ bookedAt }: Booking) => bookedAt.getTime() + PAYMENT_PATIENCE_MS;

/** One booking in a tick, because what it gets another cannot have. */
function moveUnits(pool: Pool, poolId: string, now: Date): readonly PoolEvent[] {
  for (const booking of pool.bookings.values()) {
    const { bookingId, tenantId, spec, units, startsAt } = booking;
    const homeless = units.filter(unit => !isHoused(unit));
    if (homeless.length === 0) continue;
    const from = startsAt > now ? startsAt : now;
    if (from >= spec.endsAt) continue;
    const wanted = homeless.map(({ number, pricePerSecondAtto }) => ({
      number,
      priceCapAtto: pricePerSecondAtto,
    }));
    const beside = units.filter(isHoused).map(({ home }) => home);
    const priceFactor = idlePriceFactorOf(workOf(spec, startsAt));
    const found = findHomes(pool, { spec, from, units: wanted, priceFactor, beside }, now);
    const housed = new Set(found.map(({ number }) => number));
    const away = homeless.filter(({ number }) => !housed.has(number));
    if (found.length === 0 && away.every(({ isKnownAway }) => isKnownAway)) continue;
    const moved = found.map(home => bookedUnit(home, units[home.number - 1]!.pricePerSecondAtto));
    const data = {
      poolId,
      bookingId,
      tenantId,
      units: moved,
      away: away.map(({ number }) => number),
      movedAt: now,
    };
    return [{ type: 'BookingMoved', data }];
  }
  return [];
}

/** Whether a tick could have anything to do about bookings. */
export const needsBookingTick = ({ bookings }: Pool, now: Date): boolean =>
  [...bookings.values()].some(
    booking =>
      momentsOf(booking).some(ms => ms <= now.getTime()) || booking.units.some(unit => !isHoused(unit)),
  );

/** When time alone next gives a tick something to do about bookings. */
export function bookingsDueAtMs({ bookings }: Pool, now: Date): number {
  let due = Infinity;
  for (const booking of bookings.values())
    for (const ms of momentsOf(booking)) if (ms > now.getTime()) due = Math.min(due, ms);
  return due;
}

/** The moments that lie before a booking; each is in the past for as long as nothing was done about it. */
function momentsOf(booking: Booking): readonly number[] {
  const { isConfirmed, isStarted, startsAt, spec } = booking;
  if (!isConfirmed) return [payableUntilMs(booking) + 1, startsAt.getTime() - CLEARING_MS + 1];
  if (!isStarted)
    return [startsAt.getTime() - CLEARING_MS + 1, startsAt.getTime() + 1, spec.endsAt.getTime() + 1];
  return [periodEndMs(booking) + 1, spec.endsAt.getTime() + 1];
}
