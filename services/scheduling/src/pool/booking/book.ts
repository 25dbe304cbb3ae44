import { isDeepStrictEqual } from 'node:util';
import { accept, answer, reject, type Decision, type Rejected } from '@astro/event-sourcing/decider';
import { couldHost, countExcluded } from '@astro/matching/rules';
import type {
  BookCapacity,
  BookedUnit,
  BookingSpec,
  CancelBooking,
  ConfirmBooking,
  DropBooking,
  PlanBooking,
  PoolEvent,
} from '@astro/messages/scheduling';
import { priceFactorOf } from '../market.js';
import { leasePriceAtto, needsOf } from '../needs.js';
import type { Pool } from '../pool-state.js';
import { amountOf, startOf, workOf } from './booking.js';
import { bookingLimits, flawOfBooking } from './booking-limits.js';
import { endOf } from './booking-work.js';
import { bookedUnit, findHomes } from './find-homes.js';

export type BookingRejection =
  | 'BookingIsInvalid'
  | 'BookingExists'
  | 'BookingNotFound'
  | 'BookingHasEnded'
  | 'TooManyBookings'
  | 'CapacityIsUnavailable';
type BookingDecision = Decision<PoolEvent, BookingRejection>;

/** What a booking would get; prices in base units for each second. */
export type BookingPlan = {
  /** Whether there is room for all units. */
  readonly isAvailable: boolean;
  readonly startsAt: Date;
  /** None unless all of them are. */
  readonly units: readonly BookedUnit[];
  readonly amountAtto: bigint;
  readonly nodes: number;
  /** Nodes that could hold a unit if they were idle. */
  readonly eligibleNodes: number;
  /** For each rule, the nodes that it excludes whatever their load. */
  readonly excluded: Readonly<Record<string, number>>;
};

/** A repeated command names the same capacity, and finds it booked. */
export function bookCapacity(data: BookCapacity, pool: Pool): BookingDecision {
  const { poolId, bookingId, tenantId, spec, now } = data;
  const known = pool.bookings.get(bookingId);
  if (known) {
    const isSame = known.tenantId === tenantId && isDeepStrictEqual(known.spec, spec);
    return isSame ? accept() : reject('BookingExists');
  }
  if (pool.endedBookings.has(bookingId)) return reject('BookingHasEnded');
  const refused = refusalOf(pool, tenantId, spec, now);
  if (refused) return refused;
  const { isAvailable, units, startsAt, amountAtto, ...others } = plan(pool, spec, now);
  if (!isAvailable) return reject('CapacityIsUnavailable', shortage(spec, others));
  const booked = { poolId, bookingId, tenantId, spec, startsAt, units, amountAtto, bookedAt: now };
  return accept({ type: 'CapacityBooked', data: booked });
}

/** A dry run: what `BookCapacity` would be answered now. */
export function planBooking({ tenantId, spec, now }: PlanBooking, pool: Pool): BookingDecision {
  return refusalOf(pool, tenantId, spec, now) ?? answer(plan(pool, spec, now));
}

function refusalOf(
  { bookings }: Pool,
  tenantId: string,
  spec: BookingSpec,
  now: Date,
): Rejected<BookingRejection> | undefined {
  const flaw = flawOfBooking(spec, now);
  if (flaw) return reject('BookingIsInvalid', flaw);
  const { bookingsOfTenant, bookings: inAll, units } = bookingLimits;
  const all = [...bookings.values()];
  if (all.filter(booking => booking.tenantId === tenantId).length >= bookingsOfTenant)
    return reject('TooManyBookings', `a tenant has at most ${bookingsOfTenant}`);
  const unitsBooked = all.reduce((sum, booking) => sum + booking.units.length, 0);
  if (all.length >= inAll || unitsBooked + spec.units > units)
    return reject('TooManyBookings', `the pool has at most ${inAll}, of ${units} units`);
  return undefined;
}

function plan(pool: Pool, spec: BookingSpec, now: Date): BookingPlan {
  const startsAt = startOf(spec, now);
  const work = workOf(spec, startsAt);
  const priceFactor = priceFactorOf(pool, work, now);
  const priceCapAtto = spec.requirements.maxPricePerSecondAtto;
  const wanted = Array.from({ length: spec.units }, (_, index) => ({ number: index + 1, priceCapAtto }));
  const found = findHomes(pool, { spec, from: startsAt, units: wanted, priceFactor, beside: [] }, now);
  const units = found.map(home => bookedUnit(home, leasePriceAtto(work, home.placed.priceAtto, priceFactor)));
  const needs = needsOf(work, priceFactor);
  const offers = [...pool.nodes.values()].map(({ engineOffer }) => engineOffer);
  return {
    isAvailable: units.length === spec.units,
    startsAt,
    units,
    amountAtto: amountOf(spec, startsAt, units),
    nodes: offers.length,
    eligibleNodes: offers.filter(offer => couldHost(needs, offer)).length,
    excluded: Object.fromEntries(countExcluded(needs, offers)),
  };
}

/** For example `no room for 2 units together; of 4 nodes 3 could hold one, priceCap excludes 1`. */
function shortage(
  { units }: BookingSpec,
  { nodes, eligibleNodes, excluded }: Pick<BookingPlan, 'nodes' | 'eligibleNodes' | 'excluded'>,
): string {
  const rules = Object.entries(excluded).map(([rule, count]) => `, ${rule} excludes ${count}`);
  const together = units > 1 ? `${units} units together` : 'the unit';
  return `no room for ${together}; of ${nodes} nodes ${eligibleNodes} could hold one${rules.join('')}`;
}

/** The money may come late: what was given up meanwhile is released, and not taken up again. */
export function confirmBooking({ poolId, bookingId }: ConfirmBooking, pool: Pool): BookingDecision {
  const booking = pool.bookings.get(bookingId);
  if (!booking) return reject(pool.endedBookings.has(bookingId) ? 'BookingHasEnded' : 'BookingNotFound');
  if (booking.isConfirmed) return accept();
  return accept({ type: 'BookingConfirmed', data: { poolId, bookingId, tenantId: booking.tenantId } });
}

export function dropBooking({ poolId, bookingId, at }: DropBooking, pool: Pool): BookingDecision {
  const booking = pool.bookings.get(bookingId);
  return booking ? accept(endOf(pool, booking, { poolId, reason: 'insufficient_funds', at })) : accept();
}

export function cancelBooking(
  { poolId, bookingId, tenantId, at }: CancelBooking,
  pool: Pool,
): BookingDecision {
  const booking = pool.bookings.get(bookingId);
  if (booking?.tenantId === tenantId)
    return accept(endOf(pool, booking, { poolId, reason: 'cancelled', at }));
  const ended = pool.endedBookings.get(bookingId);
  // A tenant must not learn which bookings of others exist.
  if (ended?.tenantId !== tenantId) return reject('BookingNotFound');
  return ended.reason === 'cancelled' ? accept() : reject('BookingHasEnded');
}
