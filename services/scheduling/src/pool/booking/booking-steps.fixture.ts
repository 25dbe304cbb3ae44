import type { BookingSpec, Grant, PoolCommand, PoolEvent } from '@astro/messages/scheduling';
import fc from 'fast-check';
import { machineOffer } from '../learning/learning.fixture.js';
import { admit, at, complete, grantsIn, queue, specOf, start, tick, withdraw } from '../pool-examples.js';
import { pool } from '../pool.js';
import type { Pool } from '../pool-state.js';
import { serving } from '../service-examples.js';
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

export const anySteps = fc.array(
  fc.tuple(
    anyStep,
    fc.oneof(fc.constantFrom(0, 50, 1_500), fc.constantFrom(10 * SECOND, MINUTE, 25 * MINUTE)),
  ),
  { maxLength: 50, size: 'max' },
);
export type Steps = typeof anySteps extends fc.Arbitrary<infer Value> ? Value : never;
type Moment = { readonly state: Pool; readonly events: readonly PoolEvent[]; readonly now: Date };

const TICK_MS = 100;

/** Ticks as often as the loop does: at once while there is something to do, and no later than time gives it some. */
export function run(steps: Steps, see: (moment: Moment) => void = () => undefined): readonly PoolEvent[] {
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
