import { describe, expect, test } from '@jest/globals';
import { specify } from '@astro/event-sourcing/specify';
import type { PoolCommand } from '@astro/messages/scheduling';
import { needsTick, nextDueAt } from './place.js';
import { pool } from './pool.js';
import { poolLimits } from './pool-limits.js';
import {
  admit,
  after,
  at,
  closeJob,
  complete,
  fail,
  grantsIn,
  patienceMs,
  queue,
  replica,
  specOf,
  start,
  tick,
  timeLimitMs,
  withdraw,
} from './pool-examples.js';
import { plainDevice } from '@astro/messages/unconstrained';

const given = (...commands: readonly PoolCommand[]) => specify(pool)(...after(...commands).events);
const nodes = [admit('node_a'), admit('node_b'), admit('node_c')];
const leaseMs = timeLimitMs + 30_000;
/** What the last of the commands led to. */
function lastly(...commands: readonly PoolCommand[]) {
  const before = after(...commands.slice(0, -1)).events.length;
  return after(...commands).events.slice(before);
}

describe('granting', () => {
  test('all grants of a tick are one event, with price, deadline and growing fencing tokens', () => {
    const events = lastly(...nodes, queue('job_1', specOf(['task_1', 'task_2'])), tick(at(7)));
    expect(events.map(event => event.type)).toEqual(['LeasesGranted']);
    expect(grantsIn(events).map(grant => [grant.taskId, grant.nodeId, grant.fencingToken])).toEqual([
      ['task_1', 'node_a', 1],
      ['task_1', 'node_b', 2],
      ['task_2', 'node_a', 3],
      ['task_2', 'node_b', 4],
    ]);
    expect(grantsIn(events)[0]).toMatchObject({ deadline: at(7 + leaseMs), pricePerSecondAtto: 5n });
    expect(new Set(grantsIn(events).map(grant => grant.leaseId)).size).toBe(4);
  });
  test('fencing tokens go on growing over ticks', () => {
    const commands = [
      ...nodes,
      queue('job_1', specOf(['task_1'])),
      tick(at(0)),
      queue('job_2', specOf(['task_2'])),
    ];
    expect(grantsIn(lastly(...commands, tick(at(1)))).map(grant => grant.fencingToken)).toEqual([3, 4]);
  });
  test('the job that was queued first is placed first', () => {
    const [later, earlier] = [
      queue('job_1', specOf(['task_1']), at(9)),
      queue('job_2', specOf(['task_2']), at(3)),
    ];
    const one = [admit('node_a', { operatorId: 'o1' }), admit('node_b', { operatorId: 'o2' })];
    const events = lastly(...one, later, earlier, tick(at(10)));
    expect(grantsIn(events)[0]?.jobId).toBe('job_2');
  });
  test('nothing that waits, nothing that fits: nothing happens', () => {
    given(...nodes)
      .when(tick(at(0)))
      .thenNothing();
    given(queue('job_1', specOf(['task_1'])))
      .when(tick(at(0)))
      .thenNothing();
  });
  test('a tick grants no more than its limit', () => {
    const inventory = {
      devices: [{ kind: 'cpu' as const, vendor: '', model: '', memoryMib: 1, ...plainDevice }],
      cpuMillis: 1e9,
    };
    const big = {
      memoryMib: 1e9,
      diskMib: 1,
      operatingSystem: '',
      architecture: '',
      runtimes: ['wasm'],
      bandwidthMbps: 0,
    };
    const tasks = Array.from({ length: poolLimits.grantsOfTick + 100 }, (_, index) => `task_${index}`);
    const commands = [
      admit('node_a', { inventory: { ...inventory, ...big } }),
      queue('job_1', specOf(tasks, {}, 1)),
      tick(at(0)),
    ];
    expect(grantsIn(lastly(...commands))).toHaveLength(poolLimits.grantsOfTick);
    expect(grantsIn(lastly(...commands, tick(at(1))))).toHaveLength(100);
  });
});

describe('expiring', () => {
  const placed = [...nodes, queue('job_1', specOf(['task_1'])), tick(at(0))];
  test('a lease lives until its deadline', () =>
    given(...placed)
      .when(tick(at(leaseMs)))
      .thenNothing());
  test('overdue leases expire in one event, and the next tick gives their replicas to other nodes', () => {
    const overdue = [...placed, tick(at(leaseMs + 1))];
    expect(lastly(...overdue)).toMatchObject([
      { type: 'LeasesExpired', data: { leases: [{ nodeId: 'node_a' }, { nodeId: 'node_b' }] } },
    ]);
    expect(grantsIn(lastly(...overdue, tick(at(leaseMs + 1)))).map(grant => grant.nodeId)).toEqual([
      'node_c',
    ]);
  });
});

describe('giving a job up', () => {
  const late = tick(at(patienceMs + 1));
  const abandoned = (reason: string, detail: string) => [
    { type: 'JobAbandoned', data: { jobId: 'job_1', reason, detail: expect.stringContaining(detail) } },
  ];
  test('not before its patience is over', () =>
    given(queue('job_1', specOf(['task_1'])))
      .when(tick(at(patienceMs)))
      .thenNothing());
  test('for the price cap, when lifting it alone would help', () => {
    const cheap = queue('job_1', specOf(['task_1'], { maxPricePerSecondAtto: 4n }));
    expect(lastly(...nodes, cheap, late)).toMatchObject(abandoned('price_cap_unmet', 'priceCap excludes 3'));
  });
  test('for no eligible node, when the price is not all that is wrong', () => {
    const job = queue('job_1', specOf(['task_1'], { maxPricePerSecondAtto: 4n, deviceKind: 'gpu' }));
    expect(lastly(...nodes, job, late)).toMatchObject(
      abandoned('no_eligible_node', '3 nodes, of which priceCap excludes 3, deviceKind excludes 3'),
    );
  });
  test('for too few operators, even though there are nodes enough', () => {
    const two = [admit('node_a', { operatorId: 'o1' }), admit('node_b', { operatorId: 'o1' })];
    const events = lastly(...two, queue('job_1', specOf(['task_1'])), late);
    expect(events).toMatchObject(abandoned('no_eligible_node', '2 more operators needed, 1 eligible'));
  });
  test('but not for load: a job waits for busy nodes as long as it takes', () => {
    const busy = [...nodes.slice(0, 2), queue('job_0', specOf(['task_x', 'task_y'])), tick(at(0))];
    given(...busy, queue('job_1', specOf(['task_1'])))
      .when(late)
      .thenNothing();
  });
  test('when every eligible node has failed the task', () => {
    const commands = [...nodes.slice(0, 2), queue('job_1', specOf(['task_1'])), tick(at(0))];
    const failures = grantsIn(after(...commands).events).map(fail);
    expect(lastly(...commands, ...failures, late)).toMatchObject(
      abandoned('attempts_exhausted', 'it failed on 2 nodes'),
    );
  });
  test('when its attempts are used up, and its live leases are revoked', () => {
    const many = Array.from({ length: 12 }, (_, index) => admit(`node_${index}`));
    const commands = [...many, queue('job_1', specOf(['task_1'])), tick(at(0))];
    for (let failures = 1; failures <= 5; failures += 1) {
      commands.push(fail(grantsIn(after(...commands).events).at(-1)!), tick(at(failures)));
    }
    const last = grantsIn(after(...commands).events);
    expect(last).toHaveLength(7);
    const events = lastly(...commands, fail(last.at(-1)!), tick(at(9)));
    expect(events).toMatchObject(abandoned('attempts_exhausted', '7 attempts'));
    expect(events[0]).toMatchObject({ data: { revoked: [{ leaseId: last[0]!.leaseId }] } });
  });
  test('patience counts from when the job last moved, not while it runs', () => {
    const commands = [...nodes.slice(0, 2), queue('job_1', specOf(['task_1'])), tick(at(0))];
    const [onA, onB] = grantsIn(after(...commands).events);
    const running = [
      start(onA!, at(9000)),
      start(onB!, at(9000)),
      complete(onB!, at(9500)),
      withdraw('node_a'),
    ];
    given(...commands, ...running)
      .when(late)
      .thenNothing();
    expect(lastly(...commands, ...running, tick(at(9001 + patienceMs)))).toHaveLength(1);
  });
  test('a third replica without a third operator ends the job', () => {
    const commands = [...nodes.slice(0, 2), queue('job_1', specOf(['task_1'])), tick(at(0))];
    const done = grantsIn(after(...commands).events).flatMap(grant => [
      start(grant, at(1)),
      complete(grant, at(2)),
    ]);
    const events = lastly(...commands, ...done, replica('job_1', 'task_1'), tick(at(patienceMs + 2)));
    expect(events).toMatchObject(abandoned('no_eligible_node', '1 more operators needed, 0 eligible'));
  });
});

describe('when a tick is needed', () => {
  const placed = [...nodes, queue('job_1', specOf(['task_1'])), tick(at(0))];
  test('while a replica waits or a lease is overdue, and not otherwise', () => {
    expect(needsTick(after(...nodes).state, at(0))).toBe(false);
    expect(needsTick(after(...placed.slice(0, -1)).state, at(0))).toBe(true);
    expect(needsTick(after(...placed).state, at(leaseMs))).toBe(false);
    expect(needsTick(after(...placed).state, at(leaseMs + 1))).toBe(true);
  });
  test('time alone next matters at the end of a patience or of a lease', () => {
    const { state } = after(...placed);
    expect(nextDueAt(state, at(0), patienceMs)).toEqual(at(patienceMs + 1));
    expect(nextDueAt(state, at(patienceMs + 1), patienceMs)).toEqual(at(leaseMs + 1));
    expect(nextDueAt(after(...placed, closeJob('job_1')).state, at(0), patienceMs)).toBeUndefined();
  });
});
