import { describe, expect, test } from '@jest/globals';
import { specify } from '@astro/event-sourcing/specify';
import type { BookingSpec, PoolCommand, PoolEvent, Requirements } from '@astro/messages/scheduling';
import { planJob } from '../plan.js';
import { needsTick, nextDueAt } from '../place.js';
import { pool } from '../pool.js';
import { admit, after, at, grantsIn, patienceMs, poolId, queue, specOf, tick } from '../pool-examples.js';
import {
  book,
  bookingOf,
  cancel,
  citing,
  confirm,
  HOUR,
  lastOf,
  lasting,
  MINUTE,
  only,
  SECOND,
} from './booking-examples.js';
import { bookingLimits, CLEARING_MS } from './booking-limits.js';
import type { BookingPlan } from './book.js';

const given = specify(pool);
const events = (...commands: readonly PoolCommand[]): readonly PoolEvent[] => after(...commands).events;
const refusal = (command: PoolCommand, ...before: readonly PoolCommand[]) => {
  const decision = pool.decide(command, after(...before).state);
  return decision.accepted ? 'accepted' : `${decision.rejection}: ${decision.detail}`;
};

describe('capacity that is booked', () => {
  test('is held by named nodes at the reserved price, a quarter above their own, for all of the time', () => {
    const [booked] = only('CapacityBooked', events(admit('node_a', { pricePerSecondAtto: 8n }), book()));
    expect(booked).toMatchObject({
      startsAt: at(HOUR),
      units: [{ number: 1, nodeId: 'node_a', operatorId: 'operator_node_a', pricePerSecondAtto: 10n }],
      amountAtto: 10n * 7_200n,
    });
  });

  test('costs what the plan of it said, and what a reserved job is quoted', () => {
    const { state } = after(admit('node_a'), admit('node_b'));
    const spec = bookingOf({ units: 3 });
    const asked = pool.decide(
      { type: 'PlanBooking', data: { poolId, tenantId: 'tenant_1', spec, now: at(0) } },
      state,
    );
    if (!asked.accepted) throw new Error(asked.rejection);
    const planned = JSON.parse(asked.answer!) as Record<keyof BookingPlan, unknown>;
    const [booked] = only(
      'CapacityBooked',
      events(admit('node_a'), admit('node_b'), book('booking_1', spec)),
    );
    expect(planned).toMatchObject({ isAvailable: true, amountAtto: String(booked!.amountAtto) });
    const job = { ...specOf(['x'], { maxPricePerSecondAtto: 100n }, 1), leaseClass: 'reserved' as const };
    const { placements } = planJob({ poolId, tenantId: 'tenant_1', spec: job, now: at(0) }, state);
    expect(booked!.units.map(unit => unit.pricePerSecondAtto)).toEqual([7n, 7n, 7n]);
    expect(placements[0]!.pricePerSecondAtto).toBe(7n);
  });

  test('is refused with what stands against it', () => {
    expect(refusal(book(), admit('node_a', { pricePerSecondAtto: 99n }))).toBe(
      'CapacityIsUnavailable: no room for the unit; of 1 nodes 0 could hold one, priceCap excludes 1',
    );
    expect(refusal(book('booking_1', bookingOf({ units: 3 })), admit('node_a'))).toBe(
      'CapacityIsUnavailable: no room for 3 units together; of 1 nodes 1 could hold one',
    );
  });

  test('is placed together, and at different operators, where that is asked for', () => {
    const nodes = ['node_a', 'node_b'].map(nodeId => admit(nodeId));
    const nodesFor = (change: Partial<BookingSpec>) =>
      only(
        'CapacityBooked',
        events(...nodes, book('booking_1', bookingOf({ units: 2, ...change }))),
      )[0]!.units.map(({ nodeId }) => nodeId);
    expect(new Set(nodesFor({ topology: 'node' })).size).toBe(1);
    expect(new Set(nodesFor({ hasDistinctOperators: true })).size).toBe(2);
    const wide = { units: 3, topology: 'node' } as const;
    expect(refusal(book('booking_1', bookingOf(wide)), ...nodes)).toMatch('no room for 3 units together');
  });

  test('is not booked twice, in any part of its time, and again when it is over', () => {
    const whole = (from: number, until: number) =>
      bookingOf({ startsAt: at(from), endsAt: at(until) }, { cpuMillis: 2_000 });
    const first = [admit('node_a'), book('booking_1', whole(2 * HOUR, 4 * HOUR))];
    const next = (spec: BookingSpec) => refusal(book('booking_2', spec), ...first);
    expect(next(whole(3 * HOUR, 5 * HOUR))).toMatch('CapacityIsUnavailable');
    expect(next(whole(HOUR, 5 * HOUR))).toMatch('CapacityIsUnavailable');
    expect(next(whole(HOUR, 2 * HOUR + SECOND))).toMatch('CapacityIsUnavailable');
    expect(next(whole(4 * HOUR, 5 * HOUR))).toBe('accepted');
    expect(next(whole(HOUR, 2 * HOUR))).toBe('accepted');
  });

  test('is asked for once, and another wish under the same name is refused', () => {
    given(...events(admit('node_a'), book()))
      .when(book('booking_1', bookingOf(), at(5)))
      .thenNothing();
    given(...events(admit('node_a'), book()))
      .when(book('booking_1', bookingOf({ endsAt: at(2 * HOUR) })))
      .thenRejected('BookingExists');
    given(...events(admit('node_a'), book()))
      .when(book('booking_1', bookingOf(), at(0), 'tenant_2'))
      .thenRejected('BookingExists');
  });

  const DAY = 24 * HOUR;
  const flaws: readonly [string, Partial<BookingSpec>, Partial<Requirements>, string][] = [
    ['no units', { units: 0 }, {}, 'spec.units: 1 to 64'],
    ['too many units', { units: 65 }, {}, 'spec.units: 1 to 64'],
    ['half a unit', { units: 1.5 }, {}, 'spec.units: 1 to 64'],
    ['not a number of units', { units: NaN }, {}, 'spec.units: 1 to 64'],
    ['no topology', { topology: 'unspecified' }, {}, 'spec.topology: must be specified'],
    [
      'two operators on a node',
      { units: 2, topology: 'node', hasDistinctOperators: true },
      {},
      'spec.topology: must not be node for distinct operators',
    ],
    ['a start in the past', { startsAt: at(-SECOND) }, {}, 'spec.startsAt: must not be past'],
    [
      'a start beyond the horizon',
      { startsAt: at(31 * DAY), endsAt: at(32 * DAY) },
      {},
      'spec.startsAt: at most 30 days ahead',
    ],
    ['a start within a second', { startsAt: at(HOUR + 1) }, {}, 'spec.startsAt: must be a whole second'],
    ['an end within a second', { endsAt: at(2 * HOUR + 1) }, {}, 'spec.endsAt: must be a whole second'],
    ['an end before the start', { endsAt: at(0) }, {}, 'spec.endsAt: at least 60 s after the start'],
    ['an end that is no time', { endsAt: new Date(NaN) }, {}, 'spec.endsAt: must be a whole second'],
    ['more than a month', { endsAt: at(32 * DAY) }, {}, 'spec.endsAt: at most 30 days after the start'],
    ['no CPU', {}, { cpuMillis: 0 }, 'spec.requirements.cpuMillis: 1 to 1024000'],
    ['no price', {}, { maxPricePerSecondAtto: 0n }, 'spec.requirements.maxPricePerSecondAtto: at least 1'],
  ];
  test.each(flaws)('is refused with %s, and the field is named', (_name, change, requirements, flaw) =>
    expect(refusal(book('booking_1', bookingOf(change, requirements)), admit('node_a'))).toBe(
      `BookingIsInvalid: ${flaw}`,
    ),
  );

  test('is limited in number for each tenant', () => {
    const small = bookingOf({}, { cpuMillis: 1 });
    const many = Array.from({ length: bookingLimits.bookingsOfTenant }, (_, index) =>
      book(`booking_${index}`, small),
    );
    expect(refusal(book('booking_x', small), admit('node_a', { inventory: bigger }), ...many)).toMatch(
      'TooManyBookings',
    );
    const other = book('booking_x', small, at(0), 'tenant_2');
    expect(refusal(other, admit('node_a', { inventory: bigger }), ...many)).toBe('accepted');
  });
  const { inventory } = (admit('x') as Extract<PoolCommand, { type: 'AdmitNode' }>).data.offer;
  const bigger = { ...inventory, memoryMib: 1_000_000 };
});

describe('before the start', () => {
  const whole = bookingOf({}, { cpuMillis: 2_000 });
  const booked = [admit('node_a'), book('booking_1', whole), confirm()];
  const grantedAt = (ms: number, ...jobs: readonly PoolCommand[]) =>
    grantsIn(lastOf(...booked, ...jobs, tick(at(ms)))).map(({ jobId }) => jobId);

  test('others run there if they end by then, and wait if they would not', () => {
    const short = queue('job_1', lasting(['x'], 10 * MINUTE - 30 * SECOND));
    expect(grantedAt(50 * MINUTE, short)).toEqual(['job_1']);
    expect(grantedAt(50 * MINUTE + 1, short)).toEqual([]);
  });

  test('a service never begins there: nobody knows when it ends', () => {
    const service = { ...lasting(['x'], MINUTE), quorum: 1, service: aService };
    expect(grantedAt(0, queue('service_1', service))).toEqual([]);
    expect(grantedAt(0, queue('service_1', { ...service, leaseClass: 'interruptible' }))).toEqual([
      'service_1',
    ]);
  });
  const aService = {
    replicasMin: 1,
    replicasMax: 1,
    runEveryMs: 1_000,
    periodMs: 10_000,
    targetBusyThousandths: 500,
    toleranceThousandths: 100,
    coolDownMs: 1_000,
    budgetAtto: 10n ** 9n,
  };

  test('interruptible work gets its notice in time, and only what is in the way does', () => {
    const spot = queue('spot', lasting(['a', 'b'], HOUR, 'interruptible', 1_000));
    const half = [admit('node_a'), book(), confirm(), spot, tick(at(40 * MINUTE))];
    const clearAt = at(HOUR - CLEARING_MS + 1);
    expect(grantsIn(events(...half))).toHaveLength(2);
    expect(needsTick(after(...half).state, new Date(+clearAt - 1))).toBe(false);
    expect(nextDueAt(after(...half).state, at(41 * MINUTE), patienceMs)).toEqual(clearAt);
    const notices = only('LeasesPreempted', lastOf(...half, tick(clearAt)));
    expect(notices).toMatchObject([
      { forBookingId: 'booking_1', noticeUntil: new Date(+clearAt + 30 * SECOND) },
    ]);
    expect(notices[0]!.leases).toHaveLength(1);
    expect(lastOf(...half, tick(clearAt), tick(clearAt))).toEqual([]);
  });

  test('a notice that comes late is shorter, so that the capacity is there at the start', () => {
    const spot = [queue('spot', lasting(['a'], HOUR, 'interruptible')), tick(at(40 * MINUTE))];
    const late = [...booked, ...spot, tick(at(HOUR + 5 * SECOND))];
    expect(only('LeasesPreempted', lastOf(...late))).toMatchObject([{ noticeUntil: at(HOUR + 5 * SECOND) }]);
    const then = tick(at(HOUR + 5 * SECOND + 1));
    expect(lastOf(...late, then).map(({ type }) => type)).toEqual(['LeasesRevoked']);
    expect(lastOf(...late, then, then).map(({ type }) => type)).toEqual(['BookingStarted']);
  });

  test('what runs on and cannot be stopped keeps its node: another one is booked, or none', () => {
    const busy = [admit('node_a'), queue('job_1', lasting(['x'], HOUR)), tick(at(30 * MINUTE))];
    expect(refusal(book('booking_1', whole, at(30 * MINUTE)), ...busy)).toMatch('CapacityIsUnavailable');
    const [free] = only(
      'CapacityBooked',
      events(...busy, admit('node_b'), book('booking_1', whole, at(30 * MINUTE))),
    );
    expect(free!.units[0]!.nodeId).toBe('node_b');
    const later = bookingOf({ startsAt: at(2 * HOUR) }, { cpuMillis: 2_000 });
    expect(refusal(book('booking_1', later, at(30 * MINUTE)), ...busy)).toBe('accepted');
  });

  test('what starts too soon for a notice takes only what is free of interruptible work too', () => {
    const spot = [admit('node_a'), queue('spot', lasting(['a'], HOUR, 'interruptible')), tick(at(0))];
    const soon = bookingOf({ startsAt: at(CLEARING_MS - SECOND) });
    expect(refusal(book('booking_1', soon), ...spot)).toMatch('CapacityIsUnavailable');
    expect(refusal(book('booking_1', bookingOf({ startsAt: at(CLEARING_MS) })), ...spot)).toBe('accepted');
  });

  test('nobody is told to make room for work that would be in the way', () => {
    const spot = [...booked, queue('spot', lasting(['a'], HOUR, 'interruptible')), tick(at(10 * MINUTE))];
    const firm = (limitMs: number) => [
      ...spot,
      queue('job_1', lasting(['x'], limitMs)),
      tick(at(20 * MINUTE)),
    ];
    expect(only('LeasesPreempted', lastOf(...firm(HOUR)))).toEqual([]);
    expect(only('LeasesPreempted', lastOf(...firm(MINUTE)))).toHaveLength(1);
  });
});

test('beside a booking that has started, interruptible work makes room for other work as anywhere', () => {
  const started = [admit('node_a'), book(), confirm(), tick(at(HOUR + 1))];
  const spot = [...started, queue('spot', lasting(['a'], HOUR, 'interruptible', 1_000)), tick(at(HOUR + 2))];
  const urgent = (cpuMillis: number) => [
    ...spot,
    queue('job_1', lasting(['x'], MINUTE, 'on_demand', cpuMillis)),
    tick(at(HOUR + 3)),
  ];
  expect(only('LeasesPreempted', lastOf(...urgent(1_000)))).toMatchObject([{ forJobId: 'job_1' }]);
  expect(only('LeasesPreempted', lastOf(...urgent(1_001)))).toEqual([]);
});

describe('a booking that nobody pays', () => {
  test('is dropped when the money is not there, or when nobody says so in time', () => {
    const unpaid = [admit('node_a'), book()];
    const drop: PoolCommand = { type: 'DropBooking', data: { poolId, bookingId: 'booking_1', at: at(7) } };
    expect(only('BookingEnded', lastOf(...unpaid, drop))).toMatchObject([
      { reason: 'insufficient_funds', charges: 0, work: [] },
    ]);
    expect(lastOf(...unpaid, tick(at(MINUTE)))).toEqual([]);
    const ended = lastOf(...unpaid, tick(at(MINUTE + 1)));
    expect(only('BookingEnded', ended)).toMatchObject([{ reason: 'unpaid', charges: 0 }]);
    expect(refusal(confirm(), ...unpaid, tick(at(MINUTE + 1)))).toMatch('BookingHasEnded');
  });

  test('costs nothing when it is cancelled before', () =>
    expect(only('BookingEnded', lastOf(admit('node_a'), book(), cancel(at(9))))).toMatchObject([
      { reason: 'cancelled', charges: 0, work: [] },
    ]));
});

describe('a job that cites a booking', () => {
  const started = [admit('node_a'), book(), confirm(), tick(at(HOUR + 1))];
  const grantsOf = (...commands: readonly PoolCommand[]) => grantsIn(lastOf(...commands));

  test('waits for the start, and then runs at once, for nothing more', () => {
    const early = [admit('node_a'), book(), confirm(), queue('job_1', citing(['x']))];
    expect(grantsOf(...early, tick(at(HOUR)))).toEqual([]);
    expect(only('BookingStarted', lastOf(...early, tick(at(HOUR + 1))))).toHaveLength(1);
    expect(grantsOf(...early, tick(at(HOUR + 1)), tick(at(HOUR + 1)))).toMatchObject([
      { jobId: 'job_1', nodeId: 'node_a', pricePerSecondAtto: 0n },
    ]);
  });

  test('has what was booked and no more of it, while others have the rest of the node and no more', () => {
    const both = [
      queue('job_1', citing(['a', 'b'])),
      queue('job_2', lasting(['x', 'y'], MINUTE, 'on_demand', 1_000)),
    ];
    const granted = grantsOf(...started, ...both, tick(at(HOUR + 2)));
    expect(granted.map(({ jobId }) => jobId).sort()).toEqual(['job_1', 'job_2']);
  });

  test('is begun only if it ends by the end of the booking, whatever happens', () => {
    const lastMs = 3 * HOUR - 10 * SECOND - 30 * SECOND;
    const waiting = [...started, queue('job_1', citing(['x']))];
    expect(grantsOf(...waiting, tick(at(lastMs)))).toHaveLength(0);
    const metered = [tick(at(2 * HOUR + 1)), tick(at(lastMs))];
    expect(grantsOf(...started, metered[0]!, queue('job_1', citing(['x'])), metered[1]!)).toHaveLength(1);
    const late = [...started, metered[0]!, queue('job_1', citing(['x'])), tick(at(lastMs + 1))];
    expect(only('JobAbandoned', lastOf(...late))).toMatchObject([{ reason: 'booking_unavailable' }]);
  });

  test('is given up at once when the booking is another tenant’s, or none', () => {
    for (const spec of [citing(['x']), citing(['x'], 'booking_2')]) {
      const [given] = only('JobAbandoned', lastOf(...started, queue('job_1', spec, at(0), 'tenant_2')));
      expect(given).toMatchObject({ reason: 'booking_unavailable' });
      expect(given!.detail).toBe(`there is no reservation ${spec.bookingId}, or it has ended`);
    }
  });

  test('is given up when no unit could ever host it', () => {
    const large = [...started, queue('job_1', citing(['x'], 'booking_1', 1_001), at(HOUR))];
    expect(lastOf(...large, tick(at(HOUR + 2)))).toEqual([]);
    const [given] = only('JobAbandoned', lastOf(...large, tick(at(HOUR + patienceMs + 1))));
    expect(given).toMatchObject({ reason: 'no_eligible_node' });
    expect(given!.detail).toBe('task x: reservation booking_1 has no room for it, whatever else runs there');
  });

  test('loses its leases with a booking that is cancelled, and is given up', () => {
    const working = [...started, queue('job_1', citing(['x'])), tick(at(HOUR + 2))];
    const [lease] = grantsIn(events(...working));
    const cancelled = [...working, cancel(at(HOUR + MINUTE))];
    expect(only('BookingEnded', lastOf(...cancelled))[0]!.revoked).toMatchObject([
      { leaseId: lease!.leaseId },
    ]);
    const [given] = only('JobAbandoned', lastOf(...cancelled, tick(at(HOUR + MINUTE))));
    expect(given).toMatchObject({ reason: 'booking_unavailable' });
  });

  test('is planned in its booking, at no price', () => {
    const { state } = after(...started);
    const plan = planJob({ poolId, tenantId: 'tenant_1', spec: citing(['x']), now: at(HOUR + 2) }, state);
    expect(plan).toMatchObject({ startsNow: 1, placements: [{ nodeId: 'node_a', pricePerSecondAtto: 0n }] });
    const others = planJob({ poolId, tenantId: 'tenant_2', spec: citing(['x']), now: at(HOUR + 2) }, state);
    expect(others).toMatchObject({ startsNow: 0, nodes: 0 });
  });
});
