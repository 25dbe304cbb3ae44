import { expect, test } from '@jest/globals';
import type { BookingSpec, Grant, PoolCommand, PoolEvent } from '@astro/messages/scheduling';
import { shapeDigestOf } from '@astro/event-sourcing/specify-snapshot';
import fc from 'fast-check';
import { admit, at, complete, grantsIn, queue, specOf, start, tick, withdraw } from '../pool-examples.js';
import { machineOffer } from '../learning/learning.fixture.js';
import { pool } from '../pool.js';
import type { Pool } from '../pool-state.js';
import { both, nothingOf } from './booked-room.js';
import { holdOfUnit, isHoused } from './booking.js';
import {
  book,
  bookingOf,
  cancel,
  citing,
  comes,
  confirm,
  lasting,
  leaves,
  MINUTE,
  SECOND,
} from './booking-examples.js';
import { CLEARING_MS } from './booking-limits.js';
import { roomOf } from './room-of-booking.js';
import { serving } from '../service-examples.js';
import { amountOf } from './booking.js';

type Step = (granted: readonly Grant[], now: Date) => PoolCommand | undefined;

const anyNode = fc.constantFrom('node_a', 'node_b', 'node_c');
const anyTenant = fc.constantFrom('tenant_1', 'tenant_2');
const anyBooking = fc.nat({ max: 9 }).map(number => `booking_${number}`);
const anyJob = fc.nat({ max: 30 }).map(number => `job_${number}`);
const second = (now: Date, afterMs: number) =>
  new Date(Math.ceil((now.getTime() + afterMs) / SECOND) * SECOND);

/** The third has two devices that can be shared. */
const offerOfNode = (nodeId: string) =>
  nodeId === 'node_c' ? machineOffer(nodeId, { vcpu: 2, devices: 2, model: 'm' }) : {};

const anySpec = fc.record({
  units: fc.integer({ min: 1, max: 3 }),
  inMs: fc.constantFrom(undefined, 10 * SECOND, 2 * MINUTE, 20 * MINUTE, 70 * MINUTE),
  lengthMs: fc.constantFrom(MINUTE, 5 * MINUTE, 90 * MINUTE),
  cpuMillis: fc.constantFrom(500, 1_000, 1_700),
  device: fc.constantFrom(undefined, 500, 1_000),
  topology: fc.constantFrom('any' as const, 'node' as const, 'region' as const),
  hasDistinctOperators: fc.boolean(),
});
type AnySpec = typeof anySpec extends fc.Arbitrary<infer Value> ? Value : never;

function specAt(now: Date, { inMs, lengthMs, cpuMillis, device, ...spec }: AnySpec): BookingSpec {
  const devices = { deviceKind: 'gpu' as const, deviceCount: 1, deviceShareThousandths: device };
  const needs = device === undefined ? {} : { ...devices, deviceShareThousandths: device };
  const { startsAt: _later, ...asked } = bookingOf(
    { ...spec, endsAt: second(now, (inMs ?? 0) + lengthMs) },
    { cpuMillis, ...needs },
  );
  return inMs === undefined ? asked : { ...asked, startsAt: second(now, inMs) };
}

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: anyNode.map(
      (nodeId): Step =>
        () =>
          admit(nodeId, offerOfNode(nodeId)),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(anyNode, fc.boolean()).map(
      ([nodeId, isTold]): Step =>
        (_granted, now) =>
          isTold ? leaves(nodeId, now) : withdraw(nodeId),
    ),
  },
  {
    weight: 1,
    arbitrary: anyNode.map(
      (nodeId): Step =>
        (_granted, now) =>
          comes(nodeId, now),
    ),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(anyBooking, anySpec, anyTenant).map(
      ([id, spec, tenantId]): Step =>
        (_granted, now) =>
          book(id, specAt(now, spec), now, tenantId),
    ),
  },
  {
    weight: 5,
    arbitrary: anyBooking.map(
      (id): Step =>
        () =>
          confirm(id),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(anyBooking, anyTenant).map(
      ([id, tenantId]): Step =>
        (_granted, now) =>
          cancel(now, id, tenantId),
    ),
  },
  {
    weight: 5,
    arbitrary: fc
      .tuple(anyJob, anyBooking, anyTenant, fc.constantFrom(300, 500, 1_000), fc.boolean())
      .map(([jobId, bookingId, tenantId, cpuMillis, isGang]): Step => (_granted, now) => {
        const spec = citing(['x', 'y'], bookingId, cpuMillis);
        return queue(jobId, isGang ? { ...spec, gang: { topology: 'any' } } : spec, now, tenantId);
      }),
  },
  {
    weight: 6,
    arbitrary: fc
      .tuple(
        anyJob,
        fc.constantFrom('on_demand' as const, 'interruptible' as const, 'reserved' as const),
        fc.constantFrom(20 * SECOND, 10 * MINUTE, 60 * MINUTE),
        fc.constantFrom(500, 1_000, 2_000),
      )
      .map(
        ([jobId, leaseClass, limitMs, cpuMillis]): Step =>
          (_granted, now) =>
            queue(jobId, lasting(['x', 'y'], limitMs, leaseClass, cpuMillis), now),
      ),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(anyJob, fc.constantFrom(500, 1_000))
      .map(([jobId, deviceShareThousandths]): Step => (_granted, now) => {
        const needs = { deviceKind: 'gpu' as const, cpuMillis: 300, deviceShareThousandths };
        return queue(
          jobId,
          { ...lasting(['x', 'y'], 30 * MINUTE), requirements: specOf(['x'], needs).requirements },
          now,
        );
      }),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(anyJob, fc.constantFrom('on_demand' as const, 'interruptible' as const)).map(
      ([jobId, leaseClass]): Step =>
        (_granted, now) =>
          queue(jobId, { ...serving({}), leaseClass }, now),
    ),
  },
  {
    weight: 6,
    arbitrary: fc.tuple(fc.nat({ max: 4 }), fc.boolean()).map(([index, isStart]): Step => (granted, now) => {
      const grant = granted.at(-1 - index);
      return grant && (isStart ? start(grant, now) : complete(grant, now));
    }),
  },
);

const anySteps = fc.array(
  fc.tuple(
    anyStep,
    fc.oneof(fc.constantFrom(0, 50, 1_500), fc.constantFrom(10 * SECOND, MINUTE, 25 * MINUTE)),
  ),
  { maxLength: 50, size: 'max' },
);
type Steps = typeof anySteps extends fc.Arbitrary<infer Value> ? Value : never;
type Moment = { readonly state: Pool; readonly events: readonly PoolEvent[]; readonly now: Date };

const TICK_MS = 100;

/** Ticks as often as the loop does: at once while there is something to do, and no later than time gives it some. */
function run(steps: Steps, see: (moment: Moment) => void = () => undefined): readonly PoolEvent[] {
  const all: PoolEvent[] = [];
  const granted: Grant[] = [];
  let state = pool.initialState;
  let nowMs = at(0).getTime();
  const decide = (command: PoolCommand) => {
    const decision = pool.decide(command, state);
    if (!decision.accepted || decision.events.length === 0) return false;
    all.push(...decision.events);
    granted.push(...grantsIn(decision.events));
    state = decision.events.reduce(pool.evolve, state);
    see({ state, events: decision.events, now: new Date(nowMs) });
    return true;
  };
  const settle = () => {
    for (let tries = 0; tries < 200 && decide(tick(new Date(nowMs))); tries += 1);
  };
  for (const nodeId of ['node_a', 'node_b', 'node_c']) decide(admit(nodeId, offerOfNode(nodeId)));
  for (const [step, waitMs] of steps) {
    const untilMs = nowMs + waitMs;
    while (nowMs < untilMs) {
      const dueMs = momentsAhead(state, nowMs);
      nowMs = Math.min(untilMs, Math.max(dueMs, nowMs + TICK_MS));
      settle();
    }
    const command = step(granted, new Date(nowMs));
    if (command) decide(command);
    // Mostly the ledger answers at once; of one booking it says nothing until it is asked.
    if (command?.type === 'BookCapacity' && command.data.bookingId !== 'booking_1')
      decide(confirm(command.data.bookingId));
    settle();
  }
  return all;
}

/** Coarser than `nextDueAt`: a tick more does no harm. */
function momentsAhead({ bookings, byDeadline }: Pool, nowMs: number): number {
  const times = [...byDeadline].map(({ deadline }) => deadline.getTime() + 1);
  for (const { startsAt, spec } of bookings.values())
    times.push(startsAt.getTime() - CLEARING_MS + 1, startsAt.getTime() + 1, spec.endsAt.getTime() + 1);
  return Math.min(Infinity, ...times.filter(time => time > nowMs));
}

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

/** What is held of the node from the moment on: by everybody's leases that have not ended, and by what is booked then. */
function heldOf(state: Pool, nodeId: string, now: Date) {
  const leases = [...state.nodes.get(nodeId)!.leases]
    .map(leaseId => state.leases.get(leaseId)!)
    .filter(({ deadline, bookingId }) => bookingId === undefined && deadline >= now)
    .map(({ hold }) => hold);
  const booked = [...state.bookings.values()]
    .filter(({ startsAt, spec }) => startsAt < now && now <= spec.endsAt)
    .flatMap(booking =>
      booking.units
        .filter(isHoused)
        .filter(({ home }) => home.nodeId === nodeId)
        .map(unit => holdOfUnit(state, booking, unit)),
    );
  return [...leases, ...booked].reduce(both, nothingOf(nodeId));
}

test(
  'no node ever holds more than it has, leases and bookings together',
  () =>
    assertFor(steps => {
      run(steps, ({ state, now }) => {
        for (const [nodeId, { offer }] of state.nodes) {
          const { cpuMillis, memoryMib, units } = heldOf(state, nodeId, now);
          expect(cpuMillis).toBeLessThanOrEqual(offer.inventory.cpuMillis);
          expect(memoryMib).toBeLessThanOrEqual(offer.inventory.memoryMib);
          for (const { shareThousandths } of units) expect(shareThousandths).toBeLessThanOrEqual(1_000);
        }
      });
    }),
  120_000,
);

test(
  'nobody is granted what is booked while the lease could run, but what gives way in time',
  () =>
    assertFor(steps => {
      run(steps, ({ state, events, now }) => {
        for (const { leaseId, nodeId, deadline } of grantsIn(events)) {
          const { interruptible, jobs } = state;
          const lease = state.leases.get(leaseId)!;
          if (lease.bookingId !== undefined || interruptible.has(lease)) continue;
          const lastMs = jobs.get(lease.jobId)!.service ? Infinity : deadline.getTime();
          const starts = [...state.bookings.values()].map(({ startsAt }) => startsAt.getTime());
          for (const startMs of starts.filter(startMs => startMs < lastMs && startMs > now.getTime())) {
            const firm = [...state.nodes.get(nodeId)!.leases]
              .map(id => state.leases.get(id)!)
              .filter(one => one.bookingId === undefined && !interruptible.has(one))
              .filter(one => jobs.get(one.jobId)!.service !== undefined || one.deadline.getTime() > startMs);
            const booked = [...state.bookings.values()]
              .filter(
                ({ startsAt, spec }) => startsAt.getTime() <= startMs && startMs < spec.endsAt.getTime(),
              )
              .flatMap(booking =>
                booking.units
                  .filter(isHoused)
                  .filter(({ home }) => home.nodeId === nodeId)
                  .map(unit => holdOfUnit(state, booking, unit)),
              );
            const { cpuMillis } = [...firm.map(({ hold }) => hold), ...booked].reduce(
              both,
              nothingOf(nodeId),
            );
            expect(cpuMillis).toBeLessThanOrEqual(state.nodes.get(nodeId)!.offer.inventory.cpuMillis);
          }
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
          for (const unit of booking.units.filter(isHoused)) {
            const { cpuMillis } = heldOf(state, unit.home.nodeId, now);
            expect(cpuMillis).toBeLessThanOrEqual(
              state.nodes.get(unit.home.nodeId)!.offer.inventory.cpuMillis,
            );
          }
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
  expect(`${pool.snapshot!.version} ${shapeDigestOf(shapes)}`).toBe('9 e55bdaaecf33c13e');
}, 60_000);
