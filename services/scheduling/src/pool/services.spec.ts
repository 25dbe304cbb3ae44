import { describe, expect, test } from '@jest/globals';
import type { PoolCommand, PoolEvent } from '@astro/messages/scheduling';
import {
  admit,
  after,
  at,
  closeJob,
  complete,
  grantsIn,
  poolId,
  queue,
  specOf,
  start,
  tick,
} from './pool-examples.js';
import { planJob } from './plan.js';
import { failAt, periodMs, report, scaled, serving } from './service-examples.js';
import { pool } from './pool.js';
import { LEASE_GRACE_MS, PREEMPTION_NOTICE_MS } from './pool-limits.js';
import { replacementDelayMs } from './service.js';

type Step = PoolCommand | ((events: readonly PoolEvent[]) => PoolCommand);

/** Each command made from the events so far. */
function told(...steps: Step[]) {
  const commands: PoolCommand[] = [];
  for (const step of steps)
    commands.push(typeof step === 'function' ? step(after(...commands).events) : step);
  const { events, state } = after(...commands);
  const [job] = state.jobs.values();
  return { events, last: events.at(-1), state, job, live: [...state.leases.values()] };
}
const grant = (index: number) => (events: readonly PoolEvent[]) => grantsIn(events)[index]!;
const placed = [admit('node_a'), admit('node_b'), queue('job_s', serving()), tick(at(0))];
const startBoth = [
  (events: readonly PoolEvent[]) => start(grant(0)(events), at(0)),
  (events: readonly PoolEvent[]) => start(grant(1)(events), at(0)),
];
const running = [...placed, ...startBoth];
const renewing = (index: number, ms: number, busyMs?: number) => (events: readonly PoolEvent[]) =>
  report(grant(index)(events), ms, busyMs);

describe('the replicas of a service', () => {
  test('are as many as its least, on one operator if need be', () => {
    const { live } = told(admit('node_a'), queue('job_s', serving()), tick(at(0)));
    expect(live.map(({ nodeId }) => nodeId)).toEqual(['node_a', 'node_a']);
  });

  test('are replaced after a wait when they fail, elsewhere while there is an elsewhere', () => {
    const failed = [...running, (events: readonly PoolEvent[]) => failAt(grant(0)(events), 1_000)];
    const dueMs = 1_000 + replacementDelayMs(1);
    expect(told(...failed, tick(at(dueMs - 1))).last?.type).toBe('LeaseFailed');
    const { events, live } = told(...failed, tick(at(dueMs)), tick(at(dueMs)));
    const first = grantsIn(events)[0]!;
    expect(live).toHaveLength(2);
    expect(live.at(-1)?.nodeId).not.toBe(first.nodeId);
  });

  test('come back to a node where one failed when there is no other, and are never given up for it', () => {
    let steps: Step[] = [admit('node_a'), queue('job_s', serving({ replicasMin: 1 }))];
    let ms = 0;
    for (let failures = 1; failures <= 12; failures += 1) {
      const index = failures - 1;
      const now = ms;
      steps = [...steps, tick(at(now)), events => failAt(grant(index)(events), now)];
      ms += replacementDelayMs(failures);
      steps = [...steps, tick(at(ms))];
    }
    const { live, events } = told(...steps, tick(at(ms)));
    expect(live).toHaveLength(1);
    expect(grantsIn(events)).toHaveLength(13);
    expect(replacementDelayMs(12)).toBe(300_000);
  });

  test('do not end by themselves: a completion is a failure', () =>
    expect(told(...running, events => complete(grant(0)(events), at(10))).last).toMatchObject({
      type: 'LeaseFailed',
      data: { reason: 'a replica does not end by itself' },
    }));
});

describe('the lease of a replica', () => {
  test('goes on when it is reported running, and the time since the last report is charged', () => {
    const { events, live } = told(...running, renewing(0, 10_000), renewing(0, 21_000));
    const renewals = events.flatMap(event => (event.type === 'LeaseRenewed' ? [event.data] : []));
    expect(renewals).toMatchObject([
      { chargeNumber: 1, tenantId: 'tenant_1', work: { meteredMs: 10_000, pricePerSecondAtto: 5n } },
      { chargeNumber: 2, work: { meteredMs: 11_000 } },
    ]);
    expect(live.map(({ deadline }) => deadline)).toContainEqual(at(21_000 + periodMs + LEASE_GRACE_MS));
  });

  test('is not renewed twice within half a period', () => {
    const before = told(...running, renewing(0, 10_000));
    expect(told(...running, renewing(0, 10_000), renewing(0, 14_999)).events).toEqual(before.events);
  });

  test('ends when nothing is heard of it any more, and the replica is placed again', () => {
    const silentMs = 20_000 + periodMs + LEASE_GRACE_MS;
    const heard = [...running, renewing(0, 20_000), renewing(1, 25_000)];
    const { events } = told(...heard, tick(at(silentMs + 1)));
    expect(events.at(-1)).toMatchObject({ type: 'LeasesExpired', data: { leases: [{}] } });
    const due = at(silentMs + replacementDelayMs(1));
    expect(told(...heard, tick(at(silentMs + 1)), tick(due), tick(due)).live).toHaveLength(2);
  });

  test('is not renewed for another node, nor after its end, nor before its start', () => {
    const refused = (command: PoolCommand, ...before: Step[]) => pool.decide(command, told(...before).state);
    const [first] = grantsIn(told(...running).events);
    expect(refused(report({ ...first!, nodeId: 'node_x' }, 10_000), ...running)).toMatchObject({
      rejection: 'LeaseIsOnAnotherNode',
    });
    expect(refused(report(first!, 10_000), ...placed)).toMatchObject({ rejection: 'LeaseNotStarted' });
    expect(refused(report(first!, 90_000), ...running)).toMatchObject({ rejection: 'LeaseHasExpired' });
    expect(refused(report(first!, 10_000), ...running, closeJob('job_s'))).toMatchObject({
      rejection: 'LeaseHasEnded',
    });
  });
});

describe('the number of replicas', () => {
  test('follows the load up at once, by periods that lie after the last change only', () => {
    // Both run all the time, where half of it is the target: twice as many would bear it.
    const up = told(...running, renewing(0, 10_000, 10_000));
    expect(up.last).toMatchObject({ type: 'ServiceScaled', data: { replicas: 4, revoked: [] } });
    const stale = told(...running, renewing(0, 10_000, 10_000), renewing(1, 10_001, 0));
    expect(stale.last?.type).toBe('LeaseRenewed');
    expect(told(...running, renewing(0, 10_000, 10_000), tick(at(10_000))).live).toHaveLength(4);
  });

  test('stays while the load is about what it should be', () =>
    expect(told(...running, renewing(0, 10_000, 5_400), renewing(1, 10_000, 4_600)).last?.type).toBe(
      'LeaseRenewed',
    ));

  test('goes down after the cool-down only', () => {
    const up = [...running, renewing(0, 10_000, 10_000), tick(at(10_000))];
    const idle = (fromMs: number, untilMs: number) =>
      Array.from({ length: (untilMs - fromMs) / 10_000 }, (_, index) =>
        renewing(0, fromMs + index * 10_000, 0),
      );
    expect(told(...up, ...idle(20_000, 80_000)).job?.service?.replicasMax).toBe(4);
    expect(told(...up, ...idle(20_000, 70_000)).last?.type).toBe('LeaseRenewed');
    const down = told(...up, ...idle(20_000, 200_000));
    const scalings = down.events.flatMap(event => (event.type === 'ServiceScaled' ? [event.data] : []));
    expect(scalings.map(({ replicas }) => replicas)).toEqual([4, 2]);
    // The two that were granted for the load had not even started.
    expect(scalings[1]?.revoked.map(({ leaseId }) => leaseId)).toEqual(
      grantsIn(down.events)
        .slice(2)
        .reverse()
        .map(({ leaseId }) => leaseId),
    );
  });

  test('keeps to the bounds that the tenant sets, at once', () => {
    expect(told(...running, scaled(3, 5, 1_000)).last).toMatchObject({
      type: 'ServiceScaled',
      data: { replicas: 3, replicasMin: 3, replicasMax: 5 },
    });
    const fewer = told(...running, scaled(1, 1, 1_000));
    expect(fewer.live).toHaveLength(1);
    expect(told(...running, scaled(2, 4, 1_000)).events).toEqual(told(...running).events);
  });
});

describe('the money of a service', () => {
  // A replica can cost 400 until it is charged: 40 s at a price cap of 10.
  const withBudget = (budgetAtto: bigint) => [
    admit('node_a'),
    admit('node_b'),
    queue('job_s', serving({ budgetAtto, replicasMin: 1 })),
    tick(at(0)),
    startBoth[0]!,
  ];

  test('allows no more replicas than it can pay for another period', () =>
    expect(
      told(...withBudget(1_250n), renewing(0, 10_000, 10_000), scaled(1, 9, 10_001)).events.at(-2),
    ).toMatchObject({
      type: 'ServiceScaled',
      data: { replicas: 2 },
    }));

  test('ends the service before it could cost more than its budget', () => {
    const { events, state } = told(...withBudget(430n), renewing(0, 10_000));
    expect(events.slice(-2)).toMatchObject([
      { type: 'LeaseRenewed', data: { chargeNumber: 1, work: { meteredMs: 10_000 } } },
      {
        type: 'JobAbandoned',
        data: { reason: 'insufficient_funds', revoked: [{}], settlement: { charges: 1 } },
      },
    ]);
    expect([state.leases.size, state.jobs.size]).toEqual([0, 0]);
  });

  test('is settled when the service leaves the pool', () =>
    expect(told(...running, renewing(0, 10_000), closeJob('job_s')).last).toMatchObject({
      type: 'JobClosed',
      data: { revoked: [{}, {}], settlement: { tenantId: 'tenant_1', charges: 1 } },
    }));
});

describe('an interruptible service', () => {
  const spot = { ...serving({ replicasMax: 2 }), leaseClass: 'interruptible' as const };
  const offered = [admit('node_a'), queue('job_s', spot), tick(at(0)), ...startBoth];
  /** All of a node that has room for two replicas. */
  const urgent = queue('urgent', specOf(['u'], { cpuMillis: 2_000 }, 1), at(20_000));
  const heard = [...offered, renewing(0, 20_000), renewing(1, 20_000)];
  const noticed = [...heard, urgent, tick(at(20_001))];
  const noticeEnds = 20_001 + PREEMPTION_NOTICE_MS;

  test('gets all of its replicas at the price of the auction', () =>
    expect(told(...offered).live.map(({ pricePerSecondAtto }) => pricePerSecondAtto)).toEqual([3n, 3n]));

  test('makes room with notice for what is not, however its leases are renewed', () => {
    const { last } = told(...noticed);
    expect(last).toMatchObject({
      type: 'LeasesPreempted',
      data: { leases: [{ jobId: 'job_s' }, { jobId: 'job_s' }], noticeUntil: at(noticeEnds) },
    });
    const reported = told(...noticed, renewing(0, 40_000));
    expect(reported.last).toMatchObject({
      type: 'LeaseRenewed',
      data: { deadline: at(noticeEnds), work: { meteredMs: 20_000 } },
    });
    expect(told(...noticed, renewing(0, 40_000), tick(at(noticeEnds + 1))).last).toMatchObject({
      type: 'LeasesRevoked',
      data: { leases: { length: 2 } },
    });
  });

  test('is told so too where its leases would end before the notice if they were not renewed', () =>
    expect(told(...heard, urgent, tick(at(35_000))).last).toMatchObject({
      type: 'LeasesPreempted',
      data: { leases: { length: 2 }, noticeUntil: at(35_000 + PREEMPTION_NOTICE_MS) },
    }));

  test('is placed again where there is room, and is not given up where there is none', () => {
    const over = [...noticed, tick(at(noticeEnds + 1)), tick(at(noticeEnds + 2))];
    const left = told(...over, tick(at(noticeEnds + 30_000)));
    expect(left.live.map(({ jobId }) => jobId)).toEqual(['urgent']);
    expect(left.events.some(({ type }) => type === 'JobAbandoned')).toBe(false);
    const again = told(...over, admit('node_b'), tick(at(noticeEnds + 3)));
    expect(again.live.map(({ jobId, nodeId }) => [jobId, nodeId])).toEqual([
      ['urgent', 'node_a'],
      ['job_s', 'node_b'],
      ['job_s', 'node_b'],
    ]);
  });

  test('loses the replica first that is under notice', () => {
    const one = queue('urgent', specOf(['u'], { cpuMillis: 1_000 }, 1), at(20_000));
    const { events, live } = told(...heard, one, tick(at(20_001)), scaled(1, 1, 20_002));
    const [preempted] = events.flatMap(({ type, data }) => (type === 'LeasesPreempted' ? data.leases : []));
    expect(events.at(-1)).toMatchObject({ type: 'ServiceScaled', data: { revoked: [preempted] } });
    expect(live).toMatchObject([{ jobId: 'job_s', isPreempted: false }]);
  });

  test('is in nobody’s way for longer than a notice, in the eyes of a plan', () => {
    const { state } = told(...heard);
    const question = { poolId, tenantId: 'tenant_1', now: at(20_001) };
    const spec = specOf(['p'], { cpuMillis: 2_000 }, 1);
    const startsInMs = { p50: PREEMPTION_NOTICE_MS, p90: PREEMPTION_NOTICE_MS };
    expect(planJob({ ...question, spec }, state)).toMatchObject({ startsNow: 0, startsInMs });
    const bid = { ...spec, leaseClass: 'interruptible' as const };
    expect(planJob({ ...question, spec: bid }, state).startsInMs).toBeUndefined();
  });
});

test('a replica of a reserved service has no other node where that is too dear for its class', () => {
  const spec = { ...serving({ replicasMin: 1 }), leaseClass: 'reserved' as const };
  const requirements = { ...spec.requirements, maxPricePerSecondAtto: 10n };
  const dear = admit('node_b', { pricePerSecondAtto: 9n });
  const steps = [admit('node_a'), dear, queue('job_s', { ...spec, requirements }), tick(at(0))];
  const dueMs = 1_000 + replacementDelayMs(1);
  const failed = [...steps, (events: readonly PoolEvent[]) => failAt(grant(0)(events), 1_000)];
  expect(told(...failed, tick(at(dueMs))).last).toMatchObject({
    type: 'ReplicasRequeued',
    data: { isOnFailedNodes: true },
  });
});
