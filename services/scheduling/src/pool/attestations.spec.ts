import { describe, expect, test } from '@jest/globals';
import type { PoolCommand } from '@astro/messages/scheduling';
import { explainTask } from './explanation.js';
import { nextDueAt, needsTick } from './place.js';
import {
  admit,
  after,
  at,
  attested,
  grantsIn,
  offerOf,
  patienceMs,
  poolId,
  queue,
  specOf,
  tick,
} from './pool-examples.js';
import { attemptsLeft } from './pool-job.js';

const needs = (...attestations: readonly ('tdx' | 'sev_snp')[]) => specOf(['task_1'], { attestations }, 1);
const proved = (validMs: number, nodeId = 'node_a') => attested(admit(nodeId), 'tdx', at(0), validMs);
const nodesOf = (...commands: readonly PoolCommand[]) =>
  grantsIn(after(...commands).events).map(({ nodeId }) => nodeId);
const lastOf = (...commands: readonly PoolCommand[]) => after(...commands).events.at(-1);

describe('a job that asks for attestation', () => {
  test('is placed where evidence of one of the kinds was accepted', () => {
    const fleet = [admit('node_a'), proved(60_000, 'node_b')];
    expect(nodesOf(...fleet, queue('job_1', needs('sev_snp', 'tdx')), tick(at(0)))).toEqual(['node_b']);
    expect(nodesOf(...fleet, queue('job_1', needs('sev_snp')), tick(at(0)))).toEqual([]);
  });
  test('is not placed by what a node claims, and the explanation names the filter', () => {
    const claiming = admit('node_a', { attestationClaimed: 'tdx' });
    const { state, events } = after(claiming, queue('job_1', needs('tdx')), tick(at(0)));
    expect(grantsIn(events)).toEqual([]);
    const task = state.jobs.get('job_1')!.tasks.get('task_1')!;
    const question = { poolId, tenantId: 'tenant_1', jobId: 'job_1', taskId: '', now: at(0) };
    const { filters, nearest } = explainTask(task, question, state);
    expect(filters).toMatchObject({ attestation: { failing: 1, alone: 1 } });
    expect(nearest).toMatchObject([
      { nodeId: 'node_a', wouldWinBy: { change: 'filter', filter: 'attestation' } },
    ]);
  });
  test('is given up, with the rule named, where no node has it', () => {
    const commands = [admit('node_a'), queue('job_1', needs('tdx')), tick(at(patienceMs + 1))];
    expect(lastOf(...commands)).toMatchObject({
      type: 'JobAbandoned',
      data: { reason: 'no_eligible_node', detail: expect.stringContaining('attestation excludes 1') },
    });
  });
  test('does not keep others from the node', () =>
    expect(nodesOf(proved(60_000), queue('job_1', needs()), tick(at(0)))).toEqual(['node_a']));
});

describe('evidence that has expired', () => {
  const placed = [proved(1_000), queue('job_1', needs('tdx')), tick(at(0))];

  test('ends with the time, and what needs it is taken back before anything else is decided', () => {
    const { events, state } = after(...placed, tick(at(1_000)));
    const { leaseId, jobId, taskId, nodeId } = grantsIn(events)[0]!;
    expect(events.at(-1)).toEqual({
      type: 'AttestationsExpired',
      data: {
        poolId,
        nodeIds: ['node_a'],
        expiredAt: at(1_000),
        revoked: [{ leaseId, jobId, taskId, nodeId }],
      },
    });
    expect(nodesOf(...placed, tick(at(1_000)), tick(at(1_001)))).toHaveLength(1);
    const task = state.jobs.get('job_1')!.tasks.get('task_1')!;
    expect([task.live, task.failedOn.size]).toEqual([0, 0]);
    expect(attemptsLeft(task)).toBe(
      attemptsLeft(
        after(...placed.slice(0, 2))
          .state.jobs.get('job_1')!
          .tasks.get('task_1')!,
      ),
    );
  });
  test('takes nothing from those who did not ask for it', () => {
    const { events, state } = after(proved(1_000), queue('job_1', needs()), tick(at(0)), tick(at(1_000)));
    expect(events.at(-1)).toMatchObject({ type: 'AttestationsExpired', data: { revoked: [] } });
    expect(state.leases.size).toBe(1);
  });
  test('is no reason to look again but once', () => {
    const { state } = after(proved(1_000));
    expect(nextDueAt(state, at(0), patienceMs)).toEqual(at(1_000));
    expect([needsTick(state, at(999)), needsTick(state, at(1_000))]).toEqual([false, true]);
    const ended = after(proved(1_000), tick(at(1_000)));
    expect(needsTick(ended.state, at(1_000))).toBe(false);
    expect(nextDueAt(ended.state, at(1_000), patienceMs)).toBeUndefined();
  });
  test('is followed by new evidence', () => {
    const renewed = attested(admit('node_a'), 'tdx', at(1_000), 60_000);
    expect(nodesOf(...placed, tick(at(1_000)), renewed, tick(at(1_001)))).toHaveLength(2);
    expect(after(...placed, renewed, tick(at(1_000))).state.leases.size).toBe(1);
  });
});

describe('evidence that is revoked', () => {
  test('takes back what needs it, with the event that says so', () => {
    const placed = [proved(60_000), queue('job_1', needs('tdx')), tick(at(0))];
    const [grant] = grantsIn(after(...placed).events);
    expect(lastOf(...placed, admit('node_a'))).toEqual({
      type: 'NodeAdmitted',
      data: {
        poolId,
        offer: offerOf('node_a'),
        revoked: [{ leaseId: grant!.leaseId, jobId: 'job_1', taskId: 'task_1', nodeId: 'node_a' }],
      },
    });
    expect(after(...placed, admit('node_a')).state.leases.size).toBe(0);
  });
});
