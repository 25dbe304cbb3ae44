import { expect, test } from '@jest/globals';
import { shapeDigestOf } from '@astro/event-sourcing/specify-snapshot';
import type { Hold } from '@astro/matching/engine/hold';
import fc from 'fast-check';
import { grantsIn, tick } from '../pool-examples.js';
import { pool } from '../pool.js';
import type { Lease, Pool } from '../pool-state.js';
import { both, nothingOf } from './booked-room.js';
import { amountOf, holdOfUnit, isHoused, type Booking } from './booking.js';
import { MINUTE, SECOND } from './booking-examples.js';
import { anySteps, run, type Steps } from './booking-steps.fixture.js';
import { roomOf } from './room-of-booking.js';

const assertFor = (check: (steps: Steps) => void, numRuns = 50) =>
  fc.assert(fc.property(anySteps, check), { numRuns });

test('the sequences are worth their name: every kind of event about bookings happens, and work in them', () => {
  const samples = fc.sample(anySteps, { numRuns: 150, seed: 3 }).flatMap(steps => run(steps));
  const types = new Set(samples.map(({ type }) => type));
  for (const type of [
    'CapacityBooked',
    'BookingConfirmed',
    'BookingStarted',
    'BookingMoved',
    'BookingMetered',
    'BookingEnded',
  ] as const)
    expect(types).toContain(type);
  const told = samples.filter(
    ({ type, data }) => type === 'LeasesPreempted' && data.forBookingId !== undefined,
  );
  expect(told.length).toBeGreaterThan(0);
  expect(
    grantsIn(samples).filter(({ pricePerSecondAtto }) => pricePerSecondAtto === 0n).length,
  ).toBeGreaterThan(10);
}, 60_000);

const bookedOn = ({ bookings, engine }: Pool, nodeId: string, isThen: (booking: Booking) => boolean) =>
  [...bookings.values()].filter(isThen).flatMap(booking =>
    booking.units
      .filter(isHoused)
      .filter(({ home }) => home.nodeId === nodeId)
      .map(unit => holdOfUnit(engine, booking, unit)),
  );
const leasesOn = ({ nodes, leases }: Pool, nodeId: string, isThen: (lease: Lease) => boolean) =>
  [...nodes.get(nodeId)!.leases]
    .map(leaseId => leases.get(leaseId)!)
    .filter(lease => lease.bookingId === undefined && isThen(lease))
    .map(({ hold }) => hold);

function expectFit({ nodes }: Pool, nodeId: string, holds: readonly Hold[]): void {
  const { cpuMillis, memoryMib, units } = holds.reduce(both, nothingOf(nodeId));
  const { inventory } = nodes.get(nodeId)!.offer;
  expect(cpuMillis).toBeLessThanOrEqual(inventory.cpuMillis);
  expect(memoryMib).toBeLessThanOrEqual(inventory.memoryMib);
  for (const { shareThousandths } of units) expect(shareThousandths).toBeLessThanOrEqual(1_000);
}

/** Leases that have not ended, and what is booked now, fit the node together. */
const expectRoom = (state: Pool, nodeId: string, now: Date): void =>
  expectFit(state, nodeId, [
    ...leasesOn(state, nodeId, ({ deadline }) => deadline >= now),
    ...bookedOn(state, nodeId, ({ startsAt, spec }) => startsAt < now && now <= spec.endsAt),
  ]);

test(
  'no node ever holds more than it has, leases and bookings together',
  () =>
    assertFor(steps => {
      run(steps, ({ state, now }) => {
        for (const nodeId of state.nodes.keys()) expectRoom(state, nodeId, now);
      });
    }),
  120_000,
);

test(
  'nobody is granted what is booked while the lease could run, but what gives way in time',
  () =>
    assertFor(steps => {
      run(steps, ({ state, events, now }) => {
        const isFirm = (lease: Lease) => !state.interruptible.has(lease);
        const lastMs = ({ jobId, deadline }: Lease) =>
          state.jobs.get(jobId)!.service ? Infinity : deadline.getTime();
        for (const { leaseId, nodeId } of grantsIn(events)) {
          const granted = state.leases.get(leaseId)!;
          if (granted.bookingId !== undefined || !isFirm(granted)) continue;
          const starts = [...state.bookings.values()].map(({ startsAt }) => startsAt.getTime());
          for (const startMs of starts.filter(ms => ms > now.getTime() && ms < lastMs(granted)))
            expectFit(state, nodeId, [
              ...leasesOn(state, nodeId, lease => isFirm(lease) && lastMs(lease) > startMs),
              ...bookedOn(
                state,
                nodeId,
                ({ startsAt, spec }) => startsAt.getTime() <= startMs && startMs < spec.endsAt.getTime(),
              ),
            ]);
        }
      });
    }),
  120_000,
);

test(
  'only its tenant’s jobs run in a booking, from its start to its end, and never more than was booked',
  () =>
    assertFor(steps => {
      run(steps, ({ state, events }) => {
        for (const lease of state.leases.values()) {
          if (lease.bookingId === undefined) continue;
          const booking = state.bookings.get(lease.bookingId)!;
          expect(state.jobs.get(lease.jobId)!.tenantId).toBe(booking.tenantId);
          expect(booking.isStarted && booking.isConfirmed).toBe(true);
          expect(lease.deadline.getTime()).toBeLessThanOrEqual(booking.spec.endsAt.getTime());
          expect(booking.units.map(({ home }) => home?.nodeId)).toContain(lease.nodeId);
        }
        // It takes what its leases hold, which throws when that is more than there is.
        for (const booking of state.bookings.values()) roomOf(state, booking);
        for (const { pricePerSecondAtto, leaseId } of grantsIn(events))
          expect(pricePerSecondAtto === 0n).toBe(state.leases.get(leaseId)?.bookingId !== undefined);
      });
    }),
  120_000,
);

test(
  'a booking starts right after its time, with all that its nodes hold of it free for it',
  () =>
    assertFor(steps => {
      run(steps, ({ state, events, now }) => {
        for (const { type, data } of events) {
          if (type !== 'BookingStarted') continue;
          const booking = state.bookings.get(data.bookingId)!;
          // As soon as it was confirmed, where that came later.
          if (booking.bookedAt <= booking.startsAt) expect(now > booking.startsAt).toBe(true);
          for (const { home } of booking.units.filter(isHoused)) expectRoom(state, home.nodeId, now);
        }
      });
    }),
  120_000,
);

test(
  'what is charged for a booking is numbered without a gap, and never more than was set aside',
  () =>
    assertFor(steps => {
      const left = new Map<string, bigint>();
      const charges = new Map<string, number>();
      for (const { type, data } of run(steps)) {
        if (type === 'CapacityBooked') {
          expect(data.amountAtto).toBe(amountOf(data.spec, data.startsAt, data.units));
          left.set(data.bookingId, data.amountAtto);
          charges.set(data.bookingId, 0);
        }
        if (type !== 'BookingMetered' && type !== 'BookingEnded') continue;
        const { bookingId, chargeNumber, work } = data;
        expect(chargeNumber).toBe(charges.get(bookingId)! + 1);
        charges.set(bookingId, chargeNumber + work.length - 1);
        for (const { meteredMs, pricePerSecondAtto } of work) {
          expect(meteredMs % SECOND).toBe(0);
          left.set(bookingId, left.get(bookingId)! - BigInt(meteredMs / SECOND) * pricePerSecondAtto);
        }
        expect(left.get(bookingId)! >= 0n).toBe(true);
        if (type === 'BookingEnded') expect(data.charges).toBe(charges.get(bookingId));
      }
    }),
  120_000,
);

const encoded = (state: Pool) => Buffer.from(pool.snapshot!.encode(state)).toString('base64');

test(
  'a replay gives the same pool, a snapshot goes on as it would have, and a decision leaves no trace',
  () =>
    assertFor(steps => {
      let restored: Pool | undefined;
      let moments = 0;
      let last: Pool | undefined;
      const events = run(steps, ({ state, events: happened, now }) => {
        last = state;
        if (restored) restored = happened.reduce(pool.evolve, restored);
        if (moments++ === 12) restored = pool.snapshot!.decode(pool.snapshot!.encode(state));
        if (!restored || moments % 4 > 0) return;
        const before = encoded(state);
        const next = tick(new Date(now.getTime() + MINUTE));
        const decided = pool.decide(next, state);
        expect(encoded(state)).toBe(before);
        expect(pool.decide(next, restored)).toEqual(decided);
        expect(restored.use.of('cpu')).toEqual(state.use.of('cpu'));
        expect(restored.bookings).toEqual(state.bookings);
      });
      if (!last) return;
      const replayed = events.reduce(pool.evolve, pool.initialState);
      expect(encoded(replayed)).toBe(encoded(last));
    }, 30),
  120_000,
);

test('a booking of another shape has another version of the snapshot', () => {
  const shapes = fc.sample(anySteps, { numRuns: 60, seed: 5 }).flatMap(steps => {
    const seen: unknown[] = [];
    run(steps, ({ state }) => seen.push([...state.bookings.values(), ...state.endedBookings.values()]));
    return seen.slice(-5);
  });
  expect(`${pool.snapshot!.version} ${shapeDigestOf(shapes)}`).toBe('11 e55bdaaecf33c13e');
}, 60_000);
