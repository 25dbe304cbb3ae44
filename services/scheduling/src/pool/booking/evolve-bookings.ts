import type {
  BookingEnded,
  BookingMetered,
  BookingMoved,
  CapacityBooked,
  PoolEvent,
} from '@astro/messages/scheduling';
import { takeBack } from '../end-lease.js';
import { forgetOldest } from '../lookups.js';
import type { Pool } from '../pool-state.js';
import { homeOf, isHoused, workOf, type Booking, type BookingUnit } from './booking.js';
import { bookingLimits } from './booking-limits.js';
import { unhouse } from './booking-work.js';

/** The events of a booking itself, from its making to its end. */
export type BookingEvent = Extract<PoolEvent, { type: `Booking${string}` | 'CapacityBooked' }>;

export function evolveBookings(pool: Pool, { type, data }: BookingEvent): void {
  switch (type) {
    case 'CapacityBooked':
      return book(pool, data);
    case 'BookingConfirmed':
      return confirm(pool, data.bookingId);
    case 'BookingStarted':
      return start(pool, data.bookingId);
    case 'BookingMoved':
      return move(pool, data);
    case 'BookingMetered':
      return meter(pool, data);
    case 'BookingEnded':
      return endBooking(pool, data);
  }
}

function book({ bookings }: Pool, data: CapacityBooked): void {
  const { bookingId, tenantId, spec, startsAt, bookedAt, units } = data;
  bookings.set(bookingId, {
    bookingId,
    tenantId,
    spec,
    startsAt,
    bookedAt,
    units: units.map(unit => ({
      number: unit.number,
      pricePerSecondAtto: unit.pricePerSecondAtto,
      home: homeOf(unit, bookedAt),
      isKnownAway: false,
    })),
    isConfirmed: false,
    isStarted: false,
    meteredUntil: startsAt,
    charges: 0,
    served: [],
  });
}

function confirm(pool: Pool, bookingId: string): void {
  bookingOf(pool, bookingId).isConfirmed = true;
}

/** From now on what is booked is in use, whether its tenant uses it or not. */
function start(pool: Pool, bookingId: string): void {
  const booking = bookingOf(pool, bookingId);
  booking.isStarted = true;
  countUse(pool, booking, booking.units);
}

function move(pool: Pool, { bookingId, units, away, movedAt }: BookingMoved): void {
  const booking = bookingOf(pool, bookingId);
  for (const moved of units) {
    const unit = booking.units[moved.number - 1]!;
    unit.home = homeOf(moved, movedAt);
    if (booking.isStarted) countUse(pool, booking, [unit]);
  }
  for (const number of away) booking.units[number - 1]!.isKnownAway = true;
}

function meter(pool: Pool, { bookingId, work, meteredUntil }: BookingMetered): void {
  const booking = bookingOf(pool, bookingId);
  booking.meteredUntil = meteredUntil;
  booking.charges += work.length;
  booking.served.length = 0;
}

function endBooking(pool: Pool, { bookingId, tenantId, reason, revoked }: BookingEnded): void {
  takeBack(pool, revoked);
  const booking = bookingOf(pool, bookingId);
  if (booking.isStarted) giveBackUse(pool, booking, booking.units);
  pool.bookings.delete(bookingId);
  pool.endedBookings.set(bookingId, { tenantId, reason });
  forgetOldest(pool.endedBookings, bookingLimits.endedBookings);
}

/** These bookings lose what they have of the node, of which the leases have ended. */
export function loseUnits(
  pool: Pool,
  nodeId: string,
  bookings: Iterable<Booking>,
  goneAt: Date | undefined,
): void {
  for (const booking of bookings)
    for (const unit of booking.units) {
      if (unit.home?.nodeId !== nodeId) continue;
      if (booking.isStarted) giveBackUse(pool, booking, [unit]);
      unhouse(booking, unit, goneAt);
    }
}

export function countUse({ use }: Pool, { spec, startsAt }: Booking, units: readonly BookingUnit[]): void {
  for (const _unit of units.filter(isHoused)) use.hold(workOf(spec, startsAt));
}

function giveBackUse({ use }: Pool, { spec, startsAt }: Booking, units: readonly BookingUnit[]): void {
  for (const _unit of units.filter(isHoused)) use.giveBack(workOf(spec, startsAt));
}

function bookingOf({ bookings }: Pool, bookingId: string): Booking {
  const booking = bookings.get(bookingId);
  if (!booking) throw new Error(`the pool has no booking ${bookingId}`);
  return booking;
}
