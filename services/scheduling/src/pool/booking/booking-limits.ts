import type { BookingSpec } from '@astro/messages/scheduling';
import { flawOfRequirements } from '../../job/job-limits.js';
import { PREEMPTION_NOTICE_MS } from '../pool-limits.js';
import { startOf } from './booking.js';
import { floorSecondMs, isWholeSecond } from './whole-seconds.js';

const DAY_MS = 86_400_000;

export const bookingLimits = {
  unitsOfBooking: 64,
  bookingsOfTenant: 100,
  bookings: 1_000,
  /** Every tick looks at each of them. */
  units: 4_096,
  /** How far ahead a booking may start. */
  horizonMs: 30 * DAY_MS,
  durationMinMs: 60_000,
  /** In milliseconds it fits the 32 bits of one charge. */
  durationMaxMs: 30 * DAY_MS,
  /** Bookings that were over, remembered so that a late command finds them so. */
  endedBookings: 10_000,
  /** Far below the 1,000 events of one atomic batch. */
  eventsOfTick: 100,
} as const;

/** What is held is charged at the end of each. */
export const BOOKING_PERIOD_MS = 3_600_000;
/** What is cancelled is paid for so long as if it went on. */
export const CANCELLATION_NOTICE_MS = 900_000;
/** Whoever has not paid by then has not booked. */
export const PAYMENT_PATIENCE_MS = 60_000;
/**
 * So long before the start interruptible leases in its way are told: their notice, and time for the ticks to tell them.
 */
export const CLEARING_MS = PREEMPTION_NOTICE_MS + 5_000;

/** The first thing that is wrong with it, by field; nothing when it is sound. */
export function flawOfBooking(spec: BookingSpec, now: Date): string | undefined {
  const { units, topology, hasDistinctOperators, requirements } = spec;
  if (!Number.isInteger(units) || units < 1 || units > bookingLimits.unitsOfBooking)
    return `spec.units: 1 to ${bookingLimits.unitsOfBooking}`;
  if (topology === 'unspecified') return 'spec.topology: must be specified';
  if (hasDistinctOperators && topology === 'node' && units > 1)
    return 'spec.topology: must not be node for distinct operators';
  return flawOfTimes(spec, now) ?? flawOfRequirements(requirements);
}

function flawOfTimes(spec: BookingSpec, now: Date): string | undefined {
  const { horizonMs, durationMinMs, durationMaxMs } = bookingLimits;
  const { endsAt } = spec;
  const startsAt = startOf(spec, now);
  if (!isWholeSecond(startsAt)) return 'spec.startsAt: must be a whole second';
  if (startsAt.getTime() < floorSecondMs(now)) return 'spec.startsAt: must not be past';
  if (startsAt.getTime() - now.getTime() > horizonMs)
    return `spec.startsAt: at most ${horizonMs / DAY_MS} days ahead`;
  if (!isWholeSecond(endsAt)) return 'spec.endsAt: must be a whole second';
  const durationMs = endsAt.getTime() - startsAt.getTime();
  if (!(durationMs >= durationMinMs))
    return `spec.endsAt: at least ${durationMinMs / 1_000} s after the start`;
  if (durationMs > durationMaxMs)
    return `spec.endsAt: at most ${durationMaxMs / DAY_MS} days after the start`;
  return undefined;
}
