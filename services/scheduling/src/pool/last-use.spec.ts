import { describe, expect, test } from '@jest/globals';
import type { PoolCommand, PoolEvent } from '@astro/messages/scheduling';
import { admit, after, at, closeJob, grantsIn, poolId, queue, specOf, start, tick } from './pool-examples.js';
import { LEASE_GRACE_MS, PREEMPTION_NOTICE_MS } from './pool-limits.js';
import { failAt, periodMs, report, scaled, serving } from './service-examples.js';

type Step = PoolCommand | ((events: readonly PoolEvent[]) => PoolCommand);

/** Each command made from the events so far. */
function told(...steps: Step[]) {
  const commands: PoolCommand[] = [];
  for (const step of steps)
    commands.push(typeof step === 'function' ? step(after(...commands).events) : step);
  const { events, state } = after(...commands);
  const metered = events.flatMap(({ type, data }) => (type === 'ReplicasMetered' ? [data] : []));
  return { events, last: events.at(-1), metered, state };
}
const starting = (index: number) => (events: readonly PoolEvent[]) => start(grantsIn(events)[index]!, at(0));
const renewing = (index: number, ms: number, busyMs?: number) => (events: readonly PoolEvent[]) =>
  report(grantsIn(events)[index]!, ms, busyMs);
const placed = [admit('node_a'), admit('node_b'), queue('job_s', serving()), tick(at(0))];
const running = [...placed, starting(0), starting(1)];

describe('what replicas used since they were last heard of', () => {
  test('is charged when their service ends', () => {
    const { events, metered } = told(...running, renewing(0, 10_000), closeJob('job_s', at(14_000)));
    expect(metered).toMatchObject([
      {
        ...{ poolId, jobId: 'job_s', taskId: 'task_s', tenantId: 'tenant_1', chargeNumber: 2 },
        work: [
          { leaseId: grantsIn(events)[0]!.leaseId, meteredMs: 4_000, pricePerSecondAtto: 5n },
          // One that was not heard of for longer than a period is charged for one.
          { leaseId: grantsIn(events)[1]!.leaseId, meteredMs: periodMs },
        ],
      },
    ]);
    expect(events.at(-1)).toMatchObject({ type: 'JobClosed', data: { settlement: { charges: 3 } } });
  });

  test('is nothing where they have not started', () =>
    expect(told(...placed, closeJob('job_s', at(14_000)))).toMatchObject({
      metered: [],
      last: { type: 'JobClosed', data: { revoked: { length: 2 }, settlement: { charges: 0 } } },
    }));

  test('is charged when fewer replicas are wanted', () => {
    const { events, metered, state } = told(...running, renewing(0, 10_000), scaled(1, 1, 12_000));
    expect(metered).toMatchObject([{ chargeNumber: 2, work: [{ meteredMs: 10_000 }] }]);
    expect(events.at(-1)?.type).toBe('ServiceScaled');
    expect(state.jobs.get('job_s')?.service).toMatchObject({ charges: 2, spentAtto: 100n });
  });

  test('is not charged where a replica has failed or was silent', () => {
    const failed = told(...running, renewing(0, 10_000), events => failAt(grantsIn(events)[0]!, 14_000));
    expect([failed.last?.type, failed.metered]).toEqual(['LeaseFailed', []]);
    const silent = told(...running, renewing(0, 10_000), tick(at(10_001 + periodMs + LEASE_GRACE_MS)));
    expect([silent.last?.type, silent.metered]).toEqual(['LeasesExpired', []]);
  });

  test('is not charged by an end of which nobody told the time', () =>
    expect(told(...running, renewing(0, 10_000), closeJob('job_s'))).toMatchObject({
      metered: [],
      last: { data: { settlement: { charges: 1 } } },
    }));
});

describe('the end of a notice', () => {
  const spot = (budgetAtto: bigint) => ({
    ...serving({ replicasMin: 1, replicasMax: 2, budgetAtto }),
    leaseClass: 'interruptible' as const,
  });
  /** All of a node that has room for two replicas. */
  const urgent = queue('urgent', specOf(['u'], { cpuMillis: 2_000 }, 1), at(20_000));
  const noticed = (budgetAtto: bigint) => [
    ...[admit('node_a'), queue('job_s', spot(budgetAtto)), tick(at(0)), starting(0)],
    ...[renewing(0, 20_000, 10_000), urgent, tick(at(20_001)), renewing(0, 45_000)],
  ];
  const overMs = 20_001 + PREEMPTION_NOTICE_MS;

  test('is what a replica is charged to', () => {
    const { events, metered } = told(...noticed(1_000_000n), tick(at(overMs + 2_000)));
    expect(metered).toMatchObject([{ chargeNumber: 3, work: [{ meteredMs: overMs - 45_000 }] }]);
    expect(events.at(-1)?.type).toBe('LeasesRevoked');
  });

  test('ends its service where the rest of the budget pays for no other', () => {
    // 45 s at a price of 3 and 400 for what another can cost: the notice's end at 50 s is 15 more.
    const { events } = told(...noticed(540n), tick(at(overMs + 2_000)));
    expect(events.slice(-3)).toMatchObject([
      { type: 'ReplicasMetered', data: { chargeNumber: 3 } },
      { type: 'LeasesRevoked' },
      {
        type: 'JobAbandoned',
        data: { reason: 'insufficient_funds', revoked: [], settlement: { charges: 3 } },
      },
    ]);
  });
});

test('replicas that a budget does not pay for any more are charged within it', () => {
  // Three at 400 each for what they can cost until they are heard of; the first has used 10 s when it is.
  const spec = serving({ replicasMin: 1, replicasMax: 3, budgetAtto: 1_249n });
  const three = [admit('node_a'), admit('node_b'), queue('job_s', spec), tick(at(0)), starting(0)];
  const grown = [...three, scaled(3, 3, 1), tick(at(2)), starting(1), starting(2), scaled(1, 3, 3)];
  const { events, state } = told(...grown, renewing(0, 10_000, 10_000));
  expect(events.slice(-3)).toMatchObject([
    { type: 'LeaseRenewed', data: { chargeNumber: 1 } },
    { type: 'ReplicasMetered', data: { chargeNumber: 2, work: [{ meteredMs: 10_000 }] } },
    { type: 'ServiceScaled', data: { replicas: 2, revoked: { length: 1 } } },
  ]);
  expect(state.jobs.get('job_s')?.service?.spentAtto).toBe(100n);
});

test('as many replicas are left as the budget pays for when the last use of the others has been charged', () => {
  // Each can cost 200 until it is heard of; that a report comes late makes the first dear.
  const { requirements, ...spec } = serving({ replicasMin: 1, replicasMax: 3, budgetAtto: 600n });
  const capped = { ...spec, requirements: { ...requirements, maxPricePerSecondAtto: 5n } };
  const nodes = ['node_a', 'node_b', 'node_c', 'node_d'].map(nodeId => admit(nodeId));
  const one = [...nodes, queue('job_s', capped), tick(at(0)), starting(0)];
  const three = [...one, scaled(3, 3, 1), tick(at(2)), starting(1), starting(2), scaled(1, 3, 3)];
  const { events } = told(...three, renewing(0, 39_000, 39_000));
  expect(events.slice(-3)).toMatchObject([
    // 600 less 195 would pay for two, but not once 50 more are charged for the third.
    { type: 'LeaseRenewed', data: { work: { meteredMs: 39_000 } } },
    { type: 'ReplicasMetered', data: { work: [{ meteredMs: 10_000 }, { meteredMs: 10_000 }] } },
    { type: 'ServiceScaled', data: { replicas: 1, revoked: { length: 2 } } },
  ]);
});
