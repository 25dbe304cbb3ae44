import { describe, expect, test } from '@jest/globals';
import { specify } from '@astro/event-sourcing/specify';
import type { JobSpec, PoolCommand, PoolEvent } from '@astro/messages/scheduling';
import { planJob } from './plan.js';
import { pool } from './pool.js';
import { attemptsLeft } from './pool-job.js';
import { poolLimits, PREEMPTION_NOTICE_MS } from './pool-limits.js';
import {
  admit,
  after,
  at,
  complete,
  grantsIn,
  offerOf,
  poolId,
  queue,
  specOf,
  start,
  tick,
} from './pool-examples.js';

/** Each node of the examples has two cores; leases live for 40 s at least. */
const of = (leaseClass: JobSpec['leaseClass'], taskIds: readonly string[], cpuMillis: number): JobSpec => {
  const spec = specOf(taskIds, { cpuMillis, maxPricePerSecondAtto: 100n }, 1);
  return { ...spec, leaseClass, program: { ...spec.program, timeLimitMs: 600_000 } };
};
const nodes = [admit('node_a'), admit('node_b')];
const fourSmall = queue('spot', of('interruptible', ['s1', 's2', 's3', 's4'], 1_000));
const large = queue('large', of('on_demand', ['l1'], 2_000), at(5));
const running = [...nodes, fourSmall, tick(at(0))];
const placed = grantsIn(after(...running).events);
const grantOf = (taskId: string) => placed.find(grant => grant.taskId === taskId)!;
const startAt = (taskId: string, ms: number) => start(grantOf(taskId), at(ms));
const lastOf = (...commands: readonly PoolCommand[]): readonly PoolEvent[] =>
  after(...commands).events.slice(after(...commands.slice(0, -1)).events.length);
const told = (events: readonly PoolEvent[]) =>
  events.flatMap(({ type, data }) =>
    type === 'LeasesPreempted' ? data.leases.map(({ taskId }) => taskId) : [],
  );

const noticed = [...running, large, tick(at(10))];
const noticeEnds = 10 + PREEMPTION_NOTICE_MS;

describe('work that finds no room', () => {
  test.each([
    ['node_b', ['s3', 's4'], [1, 2, 8, 9]],
    ['node_a', ['s1', 's2'], [8, 9, 1, 2]],
  ])(
    'makes those leave who lose the least, all on %s, tells until when and for whom',
    (nodeId, few, starts) => {
      const begun = starts.map((ms, index) => startAt(`s${index + 1}`, ms));
      const byNode = (id: string) => placed.filter(grant => grant.nodeId === id).map(({ taskId }) => taskId);
      expect([byNode('node_a'), byNode('node_b')]).toEqual([
        ['s1', 's2'],
        ['s3', 's4'],
      ]);
      const notices = lastOf(...running, ...begun, large, tick(at(10)));
      expect(told(notices).sort()).toEqual(few);
      expect(notices).toMatchObject([
        {
          type: 'LeasesPreempted',
          data: {
            leases: [{ nodeId }, { nodeId }],
            noticeUntil: at(noticeEnds),
            forJobId: 'large',
            forTaskId: 'l1',
            forLeaseClass: 'on_demand',
          },
        },
      ]);
    },
  );

  test('tells nobody again while a notice runs, and idle room beside it is kept for it', () => {
    expect(lastOf(...noticed, tick(at(11)))).toEqual([]);
    const [first] = told(after(...noticed).events);
    const gone = [startAt(first!, 12), complete(grantOf(first!), at(13))];
    const another = queue('bid', of('interruptible', ['late'], 1_000));
    expect(lastOf(...noticed, ...gone, another, tick(at(14)))).toEqual([]);
  });

  test('is placed when the notice is over, and those who left wait as if they had never been tried', () => {
    const over = [...noticed, tick(at(noticeEnds + 1))];
    expect(lastOf(...over)).toMatchObject([{ type: 'LeasesRevoked', data: { leases: { length: 2 } } }]);
    const { state } = after(...over);
    const tasks = [...state.jobs.get('spot')!.tasks.values()];
    const gone = tasks.filter(({ live }) => live === 0);
    expect(gone).toHaveLength(2);
    for (const task of gone)
      expect([attemptsLeft(task), task.failedOn.size, task.operators.size]).toEqual([6, 0, 0]);
    expect(grantsIn(lastOf(...over, tick(at(noticeEnds + 2)))).map(({ taskId }) => taskId)).toEqual(['l1']);
  });

  test('may be preempted any number of times without its attempts being used up', () => {
    const rounds = Array.from({ length: 9 }, (_, round) => {
      const from = 1_000 + round * 100_000;
      const job = `large_${round}`;
      const both = queue(job, of('on_demand', [`a${round}`, `b${round}`], 2_000), at(from));
      const close: PoolCommand = { type: 'CloseJob', data: { poolId, jobId: job } };
      const over = from + PREEMPTION_NOTICE_MS + 1;
      return [both, tick(at(from)), tick(at(over)), tick(at(over + 1)), close, tick(at(over + 2))];
    });
    const { events, state } = after(...running, ...rounds.flat());
    expect(events.filter(({ type }) => type === 'LeasesRevoked')).toHaveLength(9);
    expect(events.some(({ type }) => type === 'JobAbandoned')).toBe(false);
    expect(state.interruptible.size).toBe(4);
  });

  test('finds those that lose the least among more than it can look at', () => {
    const count = poolLimits.preemptionCandidatesOfTick + 10;
    const fleet = Array.from({ length: count }, (_, index) =>
      admit(`node_${String(index).padStart(3, '0')}`),
    );
    const taskIds = Array.from({ length: count }, (_, index) => `task_${index}`);
    const full = [...fleet, queue('spot', of('interruptible', taskIds, 2_000)), tick(at(0))];
    const grants = grantsIn(after(...full).events);
    const last = grants.at(-1)!;
    const begun = grants.map(grant => start(grant, at(grant === last ? 9 : 1)));
    const notices = lastOf(...full, ...begun, large, tick(at(10)));
    expect(grants).toHaveLength(count);
    expect(told(notices)).toEqual([last.taskId]);
  });

  describe('finds the one place that could make room, though what loses less fills the rest of the pool', () => {
    const count = poolLimits.preemptionCandidatesOfTick + 10;
    const small = Array.from({ length: count }, (_, index) => admit(`node_${index}`));
    const inventory = { ...offerOf('large').inventory, cpuMillis: 4_000 };
    const larger = admit('large', { inventory, region: 'us-nyc' });
    const cheap = queue(
      'cheap',
      of(
        'interruptible',
        small.map((_, index) => `c${index}`),
        2_000,
      ),
    );
    const dear = queue('dear', of('interruptible', ['d1', 'd2'], 2_000), at(1));
    const full = [larger, dear, tick(at(1)), ...small, cheap, tick(at(2))];
    const granted = grantsIn(after(...full).events);
    const begun = granted.map(grant => start(grant, at(grant.jobId === 'dear' ? 3 : 9)));

    test('of a task', () => {
      expect(granted).toHaveLength(count + 2);
      const wide = queue('wide', of('on_demand', ['w1'], 4_000), at(10));
      expect(told(lastOf(...full, ...begun, wide, tick(at(11)))).sort()).toEqual(['d1', 'd2']);
    });

    test('of a gang on one node', () => {
      const spec: JobSpec = { ...of('on_demand', ['g1', 'g2'], 2_000), gang: { topology: 'node' } };
      const events = lastOf(...full, ...begun, queue('gang', spec, at(10)), tick(at(11)));
      expect(told(events).sort()).toEqual(['d1', 'd2']);
    });

    test('and no place, where too much of it is firm', () => {
      const firm = queue('firm', of('on_demand', ['f1'], 2_000), at(10));
      const moved = [...full, ...begun, firm, tick(at(11)), tick(at(11 + PREEMPTION_NOTICE_MS + 1))];
      const wide = queue('wide', of('on_demand', ['w1'], 4_001), at(12));
      expect(
        lastOf(...moved, wide, tick(at(PREEMPTION_NOTICE_MS + 20))).map(({ type }) => type),
      ).not.toContain('LeasesPreempted');
    });
  });

  test('does not send away what is on demand or reserved, nor does interruptible work send away its like', () => {
    for (const leaseClass of ['on_demand', 'reserved'] as const) {
      const firm = [...nodes, queue('firm', of(leaseClass, ['f1', 'f2', 'f3', 'f4'], 1_000)), tick(at(0))];
      expect(lastOf(...firm, large, tick(at(10)))).toEqual([]);
    }
    const rival = queue('rival', of('interruptible', ['r1'], 2_000), at(5));
    expect(lastOf(...running, rival, tick(at(10)))).toEqual([]);
  });

  test('sends nobody away where that would not help, or where the price is above its cap', () => {
    const tooLarge = queue('huge', of('on_demand', ['h1'], 2_001), at(5));
    expect(lastOf(...running, tooLarge, tick(at(10)))).toEqual([]);
    const spec = of('on_demand', ['h1'], 2_000);
    const poor = { ...spec, requirements: { ...spec.requirements, maxPricePerSecondAtto: 4n } };
    expect(lastOf(...running, queue('poor', poor, at(5)), tick(at(10)))).toEqual([]);
  });

  test('of a gang makes room for all members or sends nobody away', () => {
    const gang = (size: number): PoolCommand => {
      const taskIds = Array.from({ length: size }, (_, index) => `g${index}`);
      return queue('gang', { ...of('reserved', taskIds, 1_000), gang: { topology: 'node' } }, at(5));
    };
    expect(told(lastOf(...running, gang(2), tick(at(10))))).toHaveLength(2);
    expect(lastOf(...running, gang(3), tick(at(10)))).toEqual([]);
  });

  test('with two replicas makes room on nodes of two operators', () => {
    const twice = queue('twice', { ...of('on_demand', ['t1'], 1_000), quorum: 2 }, at(5));
    const events = lastOf(...running, twice, tick(at(10)));
    const at2 = events.flatMap(({ type, data }) => (type === 'LeasesPreempted' ? data.leases : []));
    expect(at2.map(({ nodeId }) => nodeId).sort()).toEqual(['node_a', 'node_b']);
  });

  test('is promised its room by the plan', () => {
    const spec = of('on_demand', ['p1'], 2_000);
    const plan = planJob({ poolId, tenantId: 'tenant_1', spec, now: at(10) }, after(...running).state);
    expect(plan).toMatchObject({
      startsNow: 0,
      startsInMs: { p50: PREEMPTION_NOTICE_MS, p90: PREEMPTION_NOTICE_MS },
    });
  });
});

const said = (_key: string, value: unknown) => (typeof value === 'bigint' ? `${value}` : value);

describe('a lease under notice', () => {
  const [preempted] = told(after(...noticed).events);
  const given = (...commands: readonly PoolCommand[]) => specify(pool)(...after(...commands).events);
  const history = [...noticed, startAt(preempted!, 11)];

  test('is paid for what it completes in time, by the price of its grant', () => {
    const events = lastOf(...history, complete(grantOf(preempted!), at(noticeEnds)));
    expect(events).toMatchObject([
      {
        type: 'LeaseCompleted',
        data: { result: { meteredMs: noticeEnds - 11, pricePerSecondAtto: 3n } },
      },
    ]);
  });

  test('is paid nothing when it was stopped without a result: there is nothing to verify', () => {
    const { events } = after(...history, tick(at(noticeEnds + 1)), tick(at(noticeEnds + 2)));
    const ofLease = events.filter(event =>
      JSON.stringify(event.data, said).includes(grantOf(preempted!).leaseId),
    );
    expect(ofLease.map(({ type }) => type)).toEqual([
      ...['LeasesGranted', 'LeasesPreempted', 'LeaseStarted', 'LeasesRevoked'],
    ]);
  });

  test('is too late afterwards', () => {
    const late = complete(grantOf(preempted!), at(noticeEnds + 1));
    given(...history)
      .when(late)
      .thenRejected('LeaseHasExpired');
    given(...history, tick(at(noticeEnds + 1)))
      .when(late)
      .thenRejected('LeaseHasEnded');
  });
});

test('reserved work goes before what has waited longer, whatever the priority', () => {
  const waiting = [
    queue('old', { ...of('on_demand', ['o1'], 2_000), priority: 9 }, at(0)),
    queue('first', of('reserved', ['r1'], 2_000), at(60_000)),
  ];
  const events = lastOf(admit('node_a'), ...waiting, tick(at(60_001)));
  expect(grantsIn(events).map(({ taskId }) => taskId)).toEqual(['r1']);
});
