import { describe, expect, test } from '@jest/globals';
import { specify } from '@astro/event-sourcing/specify';
import type { Grant, PoolCommand } from '@astro/messages/scheduling';
import { freeOf } from './fleet.js';
import { pool } from './pool.js';
import { poolLimits } from './pool-limits.js';
import {
  admit,
  after,
  at,
  closeJob,
  closeTask,
  complete,
  fail,
  grantsIn,
  offerOf,
  poolId,
  queue,
  replica,
  specOf,
  start,
  tick,
  timeLimitMs,
  withdraw,
} from './pool-examples.js';

const given = (...commands: readonly PoolCommand[]) => specify(pool)(...after(...commands).events);

/** Two nodes of two operators, and one job of one task whose two replicas were granted to them. */
const placed = [admit('node_a'), admit('node_b'), queue('job_1', specOf(['task_1'])), tick(at(0))];
const [onA, onB] = grantsIn(after(...placed).events) as readonly [Grant, Grant];
const lease = { poolId, leaseId: onA.leaseId, jobId: 'job_1', taskId: 'task_1' };
const revoked = (...grants: readonly Grant[]) =>
  grants.map(({ leaseId, jobId, taskId, nodeId }) => ({ leaseId, jobId, taskId, nodeId }));

describe('admitting and withdrawing nodes', () => {
  const admitted = { type: 'NodeAdmitted', data: { poolId, offer: offerOf('node_a'), revoked: [] } } as const;
  test('a node is admitted with its offer', () => given().when(admit('node_a')).then(admitted));
  test('the same offer again changes nothing', () =>
    given(admit('node_a')).when(admit('node_a')).thenNothing());
  test('another offer replaces it', () =>
    given(admit('node_a'))
      .when(admit('node_a', { pricePerSecondAtto: 9n }))
      .then({
        type: 'NodeAdmitted',
        data: { poolId, offer: offerOf('node_a', { pricePerSecondAtto: 9n }), revoked: [] },
      }));
  test('an offer that is replaced keeps the live leases and what they hold', () => {
    const { state } = after(...placed, admit('node_a', { pricePerSecondAtto: 9n }));
    expect(freeOf(state.engine, 'node_a')).toEqual({ cpuMillis: 1000, memoryMib: 3584 });
    expect(state.leases.has(onA.leaseId)).toBe(true);
  });
  test('a node is withdrawn', () =>
    given(admit('node_a'))
      .when(withdraw('node_a'))
      .then({
        type: 'NodeWithdrawn',
        data: { poolId, nodeId: 'node_a' },
      }));
  test('a node that is not in the pool is withdrawn already', () =>
    given().when(withdraw('node_a')).thenNothing());
  test('the leases of a withdrawn node are lost and their replicas wait again', () => {
    const { events } = after(...placed, withdraw('node_a'), admit('node_c'), tick(at(1)));
    expect(grantsIn(events).map(grant => grant.nodeId)).toEqual(['node_a', 'node_b', 'node_c']);
  });
  test('a node that comes back may be given again what it lost', () => {
    const { events } = after(...placed, withdraw('node_a'), admit('node_a'), tick(at(1)));
    expect(grantsIn(events).map(grant => grant.nodeId)).toEqual(['node_a', 'node_b', 'node_a']);
  });
});

describe('queueing tasks', () => {
  const job = queue('job_1', specOf(['task_1']));
  test('a job is queued', () =>
    given()
      .when(job)
      .then({ type: 'TasksQueued', data: job.data } as never));
  test('the same job again changes nothing', () => given(job).when(job).thenNothing());
  test('another job under the same id is refused', () =>
    given(job)
      .when(queue('job_1', specOf(['task_2'])))
      .thenRejected('JobExists'));
  test('a job that left does not come back', () =>
    given(job, closeJob('job_1')).when(job).thenRejected('JobHasEnded'));
  test('a job beyond the limit of the queue is given up, so that it ends', () => {
    const many = Array.from({ length: 1000 }, (_, index) => `task_${index}`);
    const jobs = Array.from({ length: poolLimits.tasks / 1000 }, (_, index) =>
      queue(`job_f${index}`, specOf(many)),
    );
    const { state } = after(...jobs);
    expect(pool.decide(job, state)).toMatchObject({
      accepted: true,
      events: [{ type: 'JobAbandoned', data: { jobId: 'job_1', detail: expect.stringContaining('full') } }],
    });
  });
});

describe('starting a lease', () => {
  test('its node starts it', () =>
    given(...placed)
      .when(start(onA, at(5)))
      .then({ type: 'LeaseStarted', data: { ...lease, nodeId: 'node_a', startedAt: at(5) } }));
  test('a second start changes nothing, not even the time', () =>
    given(...placed, start(onA, at(5)))
      .when(start(onA, at(9)))
      .thenNothing());
  test('a start that arrives after the end changes nothing', () =>
    given(...placed, start(onA, at(5)), complete(onA, at(9)))
      .when(start(onA, at(5)))
      .thenNothing());
});

describe('a job of which a sample is run again', () => {
  const verification = { policy: 'recheck', samplePpm: 1 } as const;
  const queued = queue('job_1', { ...specOf(['task_1']), verification });
  const begun = [admit('node_a'), admit('node_b'), queued, tick(at(0))];
  const grants = grantsIn(after(...begun).events);
  test('has one replica at first, though two are to agree', () => expect(grants).toHaveLength(1));
  test('says with its result how it is verified', () =>
    expect(
      after(...begun, start(grants[0]!, at(100)), complete(grants[0]!, at(200))).events.at(-1),
    ).toMatchObject({
      type: 'LeaseCompleted',
      data: { quorum: 2, verification },
    }));
  test('gets the second from another operator when it is drawn', () => {
    const ran = [...begun, start(grants[0]!, at(100)), complete(grants[0]!, at(200))];
    const { events } = after(...ran, replica('job_1', 'task_1'), tick(at(300)));
    expect(new Set(grantsIn(events).map(({ operatorId }) => operatorId)).size).toBe(2);
  });
});

describe('completing a lease', () => {
  const started = [...placed, start(onA, at(100))];
  const completed = (meteredMs: number) => ({
    type: 'LeaseCompleted' as const,
    data: {
      ...lease,
      quorum: 2,
      result: {
        leaseId: onA.leaseId,
        nodeId: 'node_a',
        operatorId: 'operator_node_a',
        fault: 'none' as const,
        digest: 'd'.repeat(64),
        outputs: [],
        meteredMs,
        pricePerSecondAtto: 5n,
        hardwareClass: 'cpu/amd/epyc/x64',
      },
    },
  });
  test('use is metered from start to end', () =>
    given(...started)
      .when(complete(onA, at(1600)))
      .then(completed(1500)));
  test('no more than the time limit is metered', () =>
    given(...started)
      .when(complete(onA, at(100 + timeLimitMs + 1)))
      .then(completed(timeLimitMs)));
  test('the least that is metered is one millisecond', () =>
    given(...started)
      .when(complete(onA, at(99)))
      .then(completed(1)));
  test('a result without a start is refused, because its use is not known', () =>
    given(...placed)
      .when(complete(onA, at(5)))
      .thenRejected('LeaseNotStarted'));
  test('a second completion changes nothing', () =>
    given(...started, complete(onA, at(1600)))
      .when(complete(onA, at(1700)))
      .thenNothing());
  test('a completed lease gives its capacity back', () => {
    const { state } = after(...started, complete(onA, at(1600)));
    expect(freeOf(state.engine, 'node_a')).toEqual({ cpuMillis: 2000, memoryMib: 4096 });
  });
});

describe('failing a lease', () => {
  test('the node gives it back with a reason', () =>
    given(...placed)
      .when(fail(onA))
      .then({
        type: 'LeaseFailed',
        data: { ...lease, nodeId: 'node_a', reason: 'the content was not found' },
      }));
  test('a second failure changes nothing', () =>
    given(...placed, fail(onA))
      .when(fail(onA))
      .thenNothing());
  test('the replica goes to another node, never again to this one', () => {
    const { events, state } = after(...placed, fail(onA), tick(at(1)), admit('node_c'), tick(at(2)));
    expect(grantsIn(events).map(grant => grant.nodeId)).toEqual(['node_a', 'node_b', 'node_c']);
    expect(state.leases.has(onA.leaseId)).toBe(false);
  });
});

describe('a report that does not count is refused', () => {
  const started = [...placed, start(onA, at(100))];
  const late = at(timeLimitMs + 30_001);
  const expired = [...started, tick(late)];
  test.each([
    ['a start', (grant: Grant, when: Date) => start(grant, when)],
    ['a completion', (grant: Grant, when: Date) => complete(grant, when)],
    ['a failure', (grant: Grant) => fail(grant)],
  ])('%s', (_name, report) => {
    given(...started)
      .when(report({ ...onA, leaseId: 'lease_x' }, at(200)))
      .thenRejected('LeaseNotFound');
    given(...started)
      .when(report({ ...onA, nodeId: 'node_b' }, at(200)))
      .thenRejected('LeaseIsOnAnotherNode');
    given(...started)
      .when(report({ ...onA, fencingToken: 9 }, at(200)))
      .thenRejected('FencingTokenIsStale');
    given(...expired)
      .when(report(onA, at(200)))
      .thenRejected('LeaseHasExpired');
    given(...started, closeJob('job_1'))
      .when(report(onA, at(200)))
      .thenRejected('LeaseHasEnded');
    given(...started, withdraw('node_a'))
      .when(report(onA, at(200)))
      .thenRejected('LeaseNotFound');
  });
  test('a completion past the deadline, even before a tick has noticed', () =>
    given(...started)
      .when(complete(onA, late))
      .thenRejected('LeaseHasExpired'));
  test('a failure of a completed lease', () =>
    given(...started, complete(onA, at(200)))
      .when(fail(onA))
      .thenRejected('LeaseHasEnded'));
});

describe('queueing one more replica', () => {
  const bothDone = [
    ...placed,
    start(onA, at(1)),
    start(onB, at(1)),
    complete(onA, at(2)),
    complete(onB, at(2), 'program_trapped'),
  ];
  const asked = { type: 'ReplicaQueued', data: { poolId, jobId: 'job_1', taskId: 'task_1' } } as const;
  test('after a disagreement one more is queued', () =>
    given(...bothDone)
      .when(replica('job_1', 'task_1'))
      .then(asked));
  test('asking again while it waits or runs changes nothing', () => {
    given(...bothDone, replica('job_1', 'task_1'))
      .when(replica('job_1', 'task_1'))
      .thenNothing();
    given(...bothDone, replica('job_1', 'task_1'), admit('node_c'), tick(at(3)))
      .when(replica('job_1', 'task_1'))
      .thenNothing();
  });
  test('it goes to a third operator', () => {
    const third = [admit('node_c', { operatorId: 'operator_node_a' }), admit('node_d'), tick(at(3))];
    const { events } = after(...bothDone, replica('job_1', 'task_1'), ...third);
    expect(grantsIn(events).at(-1)?.nodeId).toBe('node_d');
  });
  test('for an unknown job or task it is refused', () => {
    given(...bothDone)
      .when(replica('job_2', 'task_1'))
      .thenRejected('JobNotFound');
    given(...bothDone)
      .when(replica('job_1', 'task_2'))
      .thenRejected('TaskNotFound');
    given(...bothDone, closeJob('job_1'))
      .when(replica('job_1', 'task_1'))
      .thenRejected('JobHasEnded');
  });
});

describe('closing', () => {
  test('a task is closed once', () => {
    given(...placed)
      .when(closeTask('job_1', 'task_1'))
      .then({ type: 'TaskClosed', data: { poolId, jobId: 'job_1', taskId: 'task_1' } });
    given(...placed, closeTask('job_1', 'task_1'))
      .when(closeTask('job_1', 'task_1'))
      .thenNothing();
  });
  test('nothing is placed for a closed task, and its live leases still give their capacity back', () => {
    const { events, state } = after(
      ...placed,
      closeTask('job_1', 'task_1'),
      fail(onA),
      fail(onB),
      tick(at(1)),
    );
    expect(grantsIn(events)).toHaveLength(2);
    expect(freeOf(state.engine, 'node_a').cpuMillis).toBe(2000);
  });
  test('a job that leaves has its live leases revoked', () => {
    given(...placed)
      .when(closeJob('job_1'))
      .then({ type: 'JobClosed', data: { poolId, jobId: 'job_1', revoked: revoked(onA, onB) } });
    expect(freeOf(after(...placed, closeJob('job_1')).state.engine, 'node_b').cpuMillis).toBe(2000);
  });
  test('a job that is not in the pool is closed already', () => {
    given().when(closeJob('job_1')).thenNothing();
    given(...placed, closeJob('job_1'))
      .when(closeJob('job_1'))
      .thenNothing();
  });
});
