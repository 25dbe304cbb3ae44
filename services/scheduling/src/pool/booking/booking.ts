import type { PlacementEngine } from '@astro/matching/engine/engine';
import type { Hold } from '@astro/matching/engine/hold';
import type { BookedUnit, BookingEnd, BookingSpec, HeldUnit, JobSpec } from '@astro/messages/scheduling';
import { plainJob } from '@astro/messages/unconstrained';
import { holdOf } from '../fleet.js';
import { ceilSecondMs } from './whole-seconds.js';

/** The node that holds a unit. */
export type Home = {
  readonly nodeId: string;
  readonly operatorId: string;
  readonly held: readonly HeldUnit[];
  readonly since: Date;
};

export type BookingUnit = {
  /** From 1. */
  readonly number: number;
  /** Locked when it was booked: another node that takes the unit over gets the same. */
  readonly pricePerSecondAtto: bigint;
  /** None while no node holds it: then nobody is paid for it. */
  home: Home | undefined;
  /** Whether it was recorded that no node holds it. */
  isKnownAway: boolean;
};

/** What a node that is gone held a unit for, since charges were made last. */
export type Served = Pick<Home, 'nodeId' | 'operatorId'> &
  Pick<BookingUnit, 'pricePerSecondAtto'> & { readonly seconds: number };

/** Capacity that is kept for a tenant from a start to an end. */
export type Booking = {
  readonly bookingId: string;
  readonly tenantId: string;
  readonly spec: BookingSpec;
  readonly startsAt: Date;
  readonly bookedAt: Date;
  readonly units: readonly BookingUnit[];
  /** Its money is set aside. */
  isConfirmed: boolean;
  isStarted: boolean;
  /** What was held until then is charged. */
  meteredUntil: Date;
  charges: number;
  readonly served: Served[];
};

/** A booking that is over, remembered so that a repeated command finds it so. */
export type EndedBooking = { readonly tenantId: string; readonly reason: BookingEnd };

export type HousedUnit = BookingUnit & { readonly home: Home };

export const isHoused = (unit: BookingUnit): unit is HousedUnit => unit.home !== undefined;

export const homeOf = ({ nodeId, operatorId, held }: BookedUnit, since: Date): Home => ({
  nodeId,
  operatorId,
  held,
  since,
});

/** A unit as the rules of placement and price see work: reserved, for the whole time. */
export const workOf = ({ requirements, endsAt }: BookingSpec, startsAt: Date): JobSpec => ({
  ...plainJob,
  name: '',
  program: {
    cid: '',
    timeLimitMs: endsAt.getTime() - startsAt.getTime(),
    memoryLimitMib: 0,
    outputLimitBytes: 0,
  },
  requirements,
  tasks: [],
  quorum: 1,
  leaseClass: 'reserved',
});

/** What a unit keeps of its node. */
export const holdOfUnit = (engine: PlacementEngine, { spec }: Booking, { home }: HousedUnit): Hold =>
  holdOf(engine, home.nodeId, spec.requirements, home.held);

/** What all units cost together from the start to the end, exactly: prices are for seconds, and both are whole ones. */
export function amountOf(
  { endsAt }: BookingSpec,
  startsAt: Date,
  units: readonly Pick<BookedUnit, 'pricePerSecondAtto'>[],
): bigint {
  const seconds = BigInt((endsAt.getTime() - startsAt.getTime()) / 1_000);
  return units.reduce((sum, { pricePerSecondAtto }) => sum + seconds * pricePerSecondAtto, 0n);
}

/** Without a start it begins with the next second. */
export const startOf = ({ startsAt }: BookingSpec, now: Date): Date =>
  startsAt ?? new Date(ceilSecondMs(now));
