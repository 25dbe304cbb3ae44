import { describe, expect, test } from '@jest/globals';
import { specify } from '@astro/event-sourcing/specify';
import type { Grant, PoolCommand } from '@astro/messages/scheduling';
import { assignmentsOf } from '../desired-state.js';
import {
  admit,
  after,
  at,
  checkpoint,
  complete,
  fail,
  grantsIn,
  keeping,
  poolId,
  queue,
  specOf,
  start,
  stateOf,
  tick,
  withdraw,
} from './pool-examples.js';
import { pool } from './pool.js';
import { PREEMPTION_NOTICE_MS } from './pool-limits.js';

const given = (...commands: readonly PoolCommand[]) => specify(pool)(...after(...commands).events);
const grantsOf = (...commands: readonly PoolCommand[]) => grantsIn(after(...commands).events);
const lastGrantOf = (...commands: readonly PoolCommand[]): Grant => grantsOf(...commands).at(-1)!;

const alone = keeping(specOf(['t'], {}, 1));
const placed = [admit('node_a'), queue('job_1', alone), tick(at(0))];
const [grant] = grantsOf(...placed) as [Grant];
const running = [...placed, start(grant, at(1))];
const kept = [...running, checkpoint(grant, at(10), stateOf(1))];
const lost = [...kept, withdraw('node_a')];

describe('a checkpoint', () => {
  test('is recorded for whoever continues the task', () =>
    given(...running)
      .when(checkpoint(grant, at(10), stateOf(1)))
      .then({
        type: 'LeaseCheckpointed',
        data: {
          ...{ poolId, leaseId: grant.leaseId, jobId: 'job_1', taskId: 't', nodeId: 'node_a' },
          ...{ checkpoint: stateOf(1), checkpointedAt: at(10) },
        },
      }));
  test('that is the last one already changes nothing', () =>
    given(...kept)
      .when(checkpoint(grant, at(9_000), stateOf(1)))
      .thenNothing());
  test('that comes sooner than the job allows changes nothing', () =>
    given(...kept)
      .when(checkpoint(grant, at(1_009), stateOf(2)))
      .thenNothing());
  test('that comes sooner counts under notice, which may be the last chance', () => {
    const spot = { ...alone, leaseClass: 'interruptible' as const };
    const cheap = { ...spot, requirements: { ...spot.requirements, cpuMillis: 2_000 } };
    const long = { ...cheap, program: { ...cheap.program, timeLimitMs: 600_000 } };
    const beginning = [admit('node_a'), queue('job_1', long), tick(at(0))];
    const lease = lastGrantOf(...beginning);
    const urgent = queue('job_2', specOf(['u'], {}, 1), at(20));
    const noticed = [...beginning, start(lease, at(1)), checkpoint(lease, at(10), stateOf(1)), urgent];
    const told = [...noticed, tick(at(20))];
    const [assignment] = assignmentsOf(after(...told).state, poolId, 'node_a');
    expect(assignment).toMatchObject({ stopBy: at(20 + PREEMPTION_NOTICE_MS), checkpoint: stateOf(1) });
    const last = checkpoint(lease, at(30), stateOf(2));
    expect(after(...told, last).events.at(-1)).toMatchObject({ type: 'LeaseCheckpointed' });
    const again = [...told, last, tick(at(21 + PREEMPTION_NOTICE_MS))];
    expect(lastGrantOf(...again, admit('node_b'), tick(at(22 + PREEMPTION_NOTICE_MS)))).toMatchObject({
      ...{ nodeId: 'node_b', checkpoint: stateOf(2) },
    });
  });

  test('of a job that asked for none is refused', () => {
    const plain = [admit('node_a'), queue('job_1', specOf(['t'], {}, 1)), tick(at(0))];
    const lease = lastGrantOf(...plain);
    given(...plain, start(lease, at(1)))
      .when(checkpoint(lease, at(10)))
      .thenRejected('LeaseKeepsNothing');
  });
  test('that is larger than the job allows is refused', () =>
    given(...running)
      .when(checkpoint(grant, at(10), { ...stateOf(1), sizeBytes: 1_001 }))
      .thenRejected('CheckpointIsTooLarge'));
  test('of a task that was not started is refused', () =>
    given(...placed)
      .when(checkpoint(grant, at(10)))
      .thenRejected('LeaseNotStarted'));
  test('of another node is refused', () =>
    given(...running)
      .when(checkpoint({ ...grant, nodeId: 'node_b' }, at(10)))
      .thenRejected('LeaseIsOnAnotherNode'));
  test('with a stale token is refused', () =>
    given(...running)
      .when(checkpoint({ ...grant, fencingToken: 0 }, at(10)))
      .thenRejected('FencingTokenIsStale'));
  test('after the deadline is refused', () =>
    given(...running)
      .when(checkpoint(grant, at(60_000)))
      .thenRejected('LeaseHasExpired'));
  test('after the end is refused', () =>
    given(...running, complete(grant, at(5)))
      .when(checkpoint(grant, at(10)))
      .thenRejected('LeaseHasEnded'));
});

describe('where a task is continued', () => {
  test('the node that has it learns its last checkpoint when it asks', () =>
    expect(assignmentsOf(after(...kept).state, poolId, 'node_a')).toMatchObject([
      { checkpoints: { everyMs: 2_000, sizeLimitBytes: 1_000 }, checkpoint: stateOf(1) },
    ]));

  test.each<[string, readonly PoolCommand[]]>([
    ['was withdrawn', [...lost]],
    ['failed', [...kept, fail(grant)]],
    ['fell silent', [...kept, tick(at(60_000))]],
  ])('another node continues from the last checkpoint of one that %s', (_, gone) =>
    expect(lastGrantOf(...gone, admit('node_b'), tick(at(60_001)))).toMatchObject({
      ...{ nodeId: 'node_b', checkpoint: stateOf(1) },
    }),
  );

  test('a lease that is lost before it made a checkpoint leaves the one that it began with', () => {
    const second = [
      ...lost,
      admit('node_b'),
      tick(at(20)),
      withdraw('node_b'),
      admit('node_c'),
      tick(at(30)),
    ];
    expect(lastGrantOf(...second)).toMatchObject({ nodeId: 'node_c', checkpoint: stateOf(1) });
  });

  test('a task of which nothing was kept begins', () =>
    expect(lastGrantOf(...running, withdraw('node_a'), admit('node_b'), tick(at(20)))).not.toHaveProperty(
      'checkpoint',
    ));
});

describe('where results are compared', () => {
  const compared = keeping(specOf(['t'], {}, 2));
  const both = [admit('node_a'), admit('node_b'), queue('job_1', compared), tick(at(0))];
  const [first] = grantsOf(...both) as [Grant];
  const half = [...both, start(first, at(1)), checkpoint(first, at(10), stateOf(1)), withdraw(first.nodeId)];
  const operatorId = first.operatorId;

  test("a replica never continues from another operator's checkpoint", () =>
    expect(lastGrantOf(...half, admit('node_c'), tick(at(20)))).not.toHaveProperty('checkpoint'));
  test('it does from its own, whichever node of the operator it comes to', () =>
    expect(lastGrantOf(...half, admit('node_c', { operatorId }), tick(at(20)))).toMatchObject({
      ...{ nodeId: 'node_c', checkpoint: stateOf(1) },
    }));
});
