import { describe, expect, test } from '@jest/globals';
import type { PoolCommand } from '@astro/messages/scheduling';
import { pool } from './pool.js';
import {
  admit,
  after,
  at,
  complete,
  fail,
  grantsIn,
  poolId,
  queue,
  specOf,
  start,
  tick,
} from './pool-examples.js';
import type { TaskExplanation } from './explanation.js';
import type { JobPlan } from './plan.js';

const tenantId = 'tenant_1';
const whole = { cpuMillis: 2_000 };

function ask(command: PoolCommand, ...history: readonly PoolCommand[]): unknown {
  const decision = pool.decide(command, after(...history).state);
  if (!decision.accepted) return decision.rejection;
  expect(decision.events).toEqual([]);
  return JSON.parse(decision.answer!);
}
const plan = (spec: ReturnType<typeof specOf>, now: Date, ...history: readonly PoolCommand[]) =>
  ask({ type: 'PlanJob', data: { poolId, tenantId, spec, now } }, ...history) as JobPlan;
const explain = (jobId: string, now: Date, ...history: readonly PoolCommand[]) =>
  ask(
    { type: 'ExplainTask', data: { poolId, tenantId, jobId, taskId: '', now } },
    ...history,
  ) as TaskExplanation;

describe('a plan', () => {
  test('says where the job would run, and what it would cost there', () => {
    const planned = plan(specOf(['task_1'], whole), at(0), admit('node_a'), admit('node_b'));
    expect(planned).toMatchObject({
      startsNow: 2,
      replicas: 2,
      nodes: 2,
      eligibleNodes: 2,
      startsInMs: { p50: 0, p90: 0 },
    });
    expect(planned.placements).toEqual([
      { nodeId: 'node_a', operatorId: 'operator_node_a', pricePerSecondAtto: '5' },
      { nodeId: 'node_b', operatorId: 'operator_node_b', pricePerSecondAtto: '5' },
    ]);
  });
  test('of what no node could host says which rules are in its way', () => {
    const planned = plan(specOf(['task_1'], { maxPricePerSecondAtto: 4n }, 1), at(0), admit('node_a'));
    expect(planned).toMatchObject({ startsNow: 0, eligibleNodes: 0, excluded: { priceCap: 1 } });
    expect(planned.startsInMs).toBeUndefined();
  });
  test('of what must wait says when there will be room, later for certain than by half', () => {
    const busy = [
      admit('node_a'),
      queue('job_1', { ...specOf(['task_1'], whole, 1), expectedDurationMs: 4_000 }),
      tick(at(0)),
    ];
    const [grant] = grantsIn(after(...busy).events);
    const planned = plan(specOf(['task_1'], whole, 1), at(1_000), ...busy, start(grant!, at(0)));
    expect(planned).toMatchObject({ startsNow: 0, eligibleNodes: 1, startsInMs: { p50: 3_000, p90: 9_000 } });
  });
  test('goes by how long such tasks took, after a restart too', () => {
    const busy = [admit('node_a'), queue('job_1', specOf(['task_1', 'task_2'], whole, 1)), tick(at(0))];
    const [first] = grantsIn(after(...busy).events);
    const learned = [...busy, start(first!, at(0)), complete(first!, at(2_000)), tick(at(2_000))];
    const { encode, decode } = pool.snapshot!;
    const restarted = decode(encode(after(...learned).state));
    const data = { poolId, tenantId, spec: specOf(['task_3'], whole, 1), now: at(2_000) };
    const planned = pool.decide({ type: 'PlanJob', data }, restarted);
    const before = pool.decide({ type: 'PlanJob', data }, after(...learned).state);
    expect(planned).toEqual(before);
    const { startsInMs } = JSON.parse((planned.accepted && planned.answer) || '') as JobPlan;
    // Nothing is known of a program that never ran, but its limit of ten seconds.
    expect(startsInMs!.p50).toBeLessThan(5_000);
  });
  test('counts what waits already, which goes first', () => {
    const queued = [admit('node_a'), queue('job_1', specOf(['task_1'], whole, 1))];
    expect(plan(specOf(['task_1'], whole, 1), at(0), ...queued)).toMatchObject({
      startsNow: 0,
      waitingTasks: 1,
    });
  });
  test('of an unsound job is refused', () => {
    expect(plan(specOf([]), at(0))).toBe('JobIsInvalid');
  });
});

describe('an explanation', () => {
  const queued = queue('job_1', specOf(['task_1'], whole, 1));
  const dear = admit('node_b', { pricePerSecondAtto: 11n });
  test('of a task that waits names the filter that alone is in the way', () => {
    const explained = explain('job_1', at(0), dear, queued, tick(at(0)));
    expect(explained).toMatchObject({
      taskId: 'task_1',
      waitingReplicas: 1,
      leases: [],
      nodes: 1,
      passing: 0,
    });
    expect(explained.filters['priceCap']).toEqual({ failing: 1, alone: 1 });
    expect(explained.nearest).toMatchObject([
      { nodeId: 'node_b', wouldWinBy: { change: 'filter', filter: 'priceCap' } },
    ]);
  });
  test('of a task at work says how it won, and what the others lacked', () => {
    const explained = explain('job_1', at(1), admit('node_a'), dear, admit('node_c'), queued, tick(at(0)));
    expect(explained).toMatchObject({ waitingReplicas: 0, leases: [{ nodeId: 'node_a' }], passing: 2 });
    expect(explained.best.map(({ nodeId, gap }) => [nodeId, gap])).toEqual([
      ['node_a', 0],
      ['node_c', 0],
    ]);
  });
  test('names the nodes that failed the task', () => {
    const placed = [admit('node_a'), queued, tick(at(0))];
    const failed = fail(grantsIn(after(...placed).events)[0]!);
    expect(explain('job_1', at(1), ...placed, failed)).toMatchObject({
      nodesExcluded: ['node_a'],
      passing: 0,
    });
  });
  test('is not given for the job of another tenant, nor for one that is not there', () => {
    const of = (tenant: string, jobId: string, taskId: string) =>
      ask({ type: 'ExplainTask', data: { poolId, tenantId: tenant, jobId, taskId, now: at(0) } }, queued);
    expect(of('tenant_2', 'job_1', '')).toBe('JobNotFound');
    expect(of(tenantId, 'job_2', '')).toBe('JobNotFound');
    expect(of(tenantId, 'job_1', 'task_9')).toBe('TaskNotFound');
  });
});
