import { describe, expect, test } from '@jest/globals';
import { spreadRule, ties, tiesKept, type Tie } from '@astro/matching/spread/kinship';
import type { PoolCommand } from '@astro/messages/scheduling';
import fc from 'fast-check';
import type { TaskExplanation } from './explanation.js';
import { nextDueAt } from './place.js';
import {
  admit,
  after,
  at,
  complete,
  grantsIn,
  patienceMs,
  poolId,
  queue,
  specOf,
  start,
  tick,
} from './pool-examples.js';
import { pool } from './pool.js';
import { poolSnapshot } from './pool-snapshot.js';

const operatorOf = (node: string) => `operator_node_${node}`;
const relate = (node: string, kind: Tie, key: string): PoolCommand => ({
  type: 'RelateOperator',
  data: { poolId, operatorId: operatorOf(node), affiliation: { kind, key } },
});
const unrelate = (node: string, kind: Tie, key: string): PoolCommand => ({
  type: 'UnrelateOperator',
  data: { poolId, operatorId: operatorOf(node), affiliation: { kind, key } },
});
const related = (kind: Tie, ...nodes: readonly string[]) => nodes.map(node => relate(node, kind, 'shared'));
const nodes = (...names: readonly string[]) => names.map(name => admit(`node_${name}`));
const twice = queue('job_1', specOf(['task_1']));
const { waitMs } = spreadRule;
const placedBy = (...commands: readonly PoolCommand[]) =>
  grantsIn(after(...commands).events).map(({ nodeId }) => nodeId);

describe('two replicas of a task', () => {
  test.each(ties)('go past operators that are related by %s', kind =>
    expect(placedBy(...nodes('a', 'b', 'c'), ...related(kind, 'a', 'b'), twice, tick(at(1)))).toEqual([
      'node_a',
      'node_c',
    ]),
  );

  test.each<readonly [Tie, number, boolean]>([
    ['network', waitMs - 1, false],
    ['network', waitMs, true],
    ['funding', 2 * waitMs - 1, false],
    ['funding', 2 * waitMs, true],
    ['collusion', 1_000 * waitMs, false],
  ])('where only those related by %s are there, after %d ms: %s', (kind, waitedMs, isPlaced) => {
    const commands = [...nodes('a', 'b'), ...related(kind, 'a', 'b'), twice, tick(at(1))];
    expect(placedBy(...commands, tick(at(2)))).toEqual(['node_a']);
    const state = after(...commands).state;
    // Leases end by their deadlines, which is none of this spec.
    const task = state.jobs.get('job_1')!.tasks.get('task_1')!;
    task.apartSince = new Date(at(5_000).getTime() - waitedMs);
    state.waiting.refresh(task);
    const decision = pool.decide(tick(at(5_000)), state);
    expect(decision.accepted && grantsIn(decision.events).length).toBe(isPlaced ? 1 : 0);
  });

  test('go to operators that have nothing in common any more', () =>
    expect(
      placedBy(
        ...nodes('a', 'b'),
        ...related('network', 'a', 'b'),
        unrelate('b', 'network', 'shared'),
        twice,
        tick(at(1)),
      ),
    ).toEqual(['node_a', 'node_b']));
});

test('one replica goes where it fits, whoever is related', () =>
  expect(
    placedBy(
      ...nodes('a', 'b'),
      ...related('collusion', 'a', 'b'),
      queue('job_1', specOf(['task_1', 'task_2', 'task_3'], {}, 1)),
      tick(at(1)),
    ).length,
  ).toBe(3));

test('a pool on which a tick found nothing wakes when less keeps replicas apart', () => {
  const { state } = after(...nodes('a', 'b'), ...related('network', 'a', 'b'), twice, tick(at(1)));
  const task = state.jobs.get('job_1')!.tasks.get('task_1')!;
  task.apartSince = new Date(at(3).getTime() - waitMs + 500);
  expect(nextDueAt(state, at(3), patienceMs)).toEqual(at(503));
});

test('a job that needs more voices than there are groups is given up after its patience', () => {
  const { events } = after(
    ...nodes('a', 'b'),
    ...related('collusion', 'a', 'b'),
    twice,
    tick(at(patienceMs + 1)),
  );
  expect(events.at(-1)).toMatchObject({
    type: 'JobAbandoned',
    data: {
      reason: 'no_eligible_node',
      detail: expect.stringContaining('2 more operators needed, 1 eligible'),
    },
  });
});

describe('a job that waits for others than relatives', () => {
  const commands = [...nodes('a', 'b'), ...related('network', 'a', 'b'), twice, tick(at(1))];
  const explained = (now: Date): TaskExplanation => {
    const data = { poolId, tenantId: 'tenant_1', jobId: 'job_1', taskId: '', now };
    const decision = pool.decide({ type: 'ExplainTask', data }, after(...commands).state);
    if (!decision.accepted || decision.answer === undefined) throw new Error('was not explained');
    return JSON.parse(decision.answer) as TaskExplanation;
  };

  test('says whom it is kept from, by what, and until when', () => {
    const { spread } = explained(at(2));
    expect(spread?.related).toEqual([{ operatorId: operatorOf('b'), to: operatorOf('a'), by: 'network' }]);
    expect(spread?.because).toBe(
      `all free nodes are related to operator ${operatorOf('a')} by network, as those of ${operatorOf('b')} are`,
    );
    expect(spread).toMatchObject({ apartBy: [...ties], relaxesAt: at(1 + waitMs).toISOString() });
  });
});

test('a result tells what relates the operators of its task, and who speaks with others', () => {
  const commands = [...nodes('a', 'b'), twice, tick(at(1))];
  const [first] = grantsIn(after(...commands).events);
  const { events } = after(
    ...commands,
    ...related('network', 'a', 'b'),
    relate('a', 'collusion', 'group_1'),
    start(first!, at(2)),
    complete(first!, at(3)),
  );
  expect(events.at(-1)).toMatchObject({
    type: 'LeaseCompleted',
    data: { spread: { relatedBy: 'network', voices: [{ operatorId: operatorOf('a'), groupId: 'group_1' }] } },
  });
});

test('a result of operators that nothing relates says nothing of it', () => {
  const commands = [...nodes('a', 'b'), twice, tick(at(1))];
  const [first] = grantsIn(after(...commands).events);
  const { events } = after(...commands, start(first!, at(2)), complete(first!, at(3)));
  expect(events.at(-1)!.data).not.toHaveProperty('spread');
});

test('what is told again changes nothing', () => {
  const { state } = after(relate('a', 'network', 'n1'));
  expect(pool.decide(relate('a', 'network', 'n1'), state)).toEqual({ accepted: true, events: [] });
  expect(pool.decide(unrelate('a', 'funding', 'n1'), state)).toEqual({ accepted: true, events: [] });
});

const anyRelation = fc.tuple(
  fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
  fc.constantFrom(...ties),
  fc.constantFrom('1', '2'),
);

test('whoever is related, no two replicas go to operators that share what still keeps them apart', () =>
  fc.assert(
    fc.property(
      fc.array(anyRelation, { maxLength: 12 }),
      fc.integer({ min: 2, max: 4 }),
      (relations, quorum) => {
        const commands = [
          ...nodes('a', 'b', 'c', 'd', 'e', 'f'),
          ...relations.map(([node, kind, key]) => relate(node, kind, key)),
          queue('job_1', specOf(['task_1', 'task_2'], {}, quorum)),
          tick(at(1)),
        ];
        const { events, state } = after(...commands, tick(at(2)));
        for (const asked of ['task_1', 'task_2']) {
          const grants = grantsIn(events).filter(({ taskId }) => taskId === asked);
          for (const [index, { operatorId }] of grants.entries())
            for (const other of grants.slice(index + 1)) {
              expect(other.operatorId).not.toBe(operatorId);
              expect(tiesKept(1)).not.toContain(state.kinship.tieBetween(operatorId, other.operatorId));
            }
        }
        // A restart places the same.
        const [again, same] = [
          poolSnapshot.decode(poolSnapshot.encode(state)),
          after(...commands, tick(at(2))).state,
        ];
        expect(pool.decide(tick(at(3)), again)).toEqual(pool.decide(tick(at(3)), same));
      },
    ),
    { numRuns: 100 },
  ));
