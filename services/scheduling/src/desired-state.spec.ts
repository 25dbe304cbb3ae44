import { describe, expect, test } from '@jest/globals';
import type { Grant, JobSpec, PoolCommand } from '@astro/messages/scheduling';
import { assignmentsOf, touchedNodes } from './desired-state.js';
import {
  admit,
  after,
  at,
  attested,
  closeJob,
  closeTask,
  complete,
  fail,
  grantsIn,
  poolId,
  queue,
  specOf,
  start,
  tick,
  withdraw,
} from './pool/pool-examples.js';

const spec = specOf(['task_1', 'task_2']);
const placed = [admit('node_a'), admit('node_b'), queue('job_1', spec), tick(at(0))];
const grants = grantsIn(after(...placed).events);
const onA = grants.filter(grant => grant.nodeId === 'node_a') as [Grant, Grant];
const leaseIds = (...commands: readonly PoolCommand[]) =>
  assignmentsOf(after(...commands).state, poolId, 'node_a').map(assignment => assignment.leaseId);

describe('the assignments of a node', () => {
  test('carry all that the node needs, oldest lease first', () => {
    const assignments = assignmentsOf(after(...placed).state, poolId, 'node_a');
    expect(assignments).toEqual(
      onA.map(({ leaseId, jobId, taskId, fencingToken, deadline }, index) => {
        const { inputs, args } = spec.tasks[index]!;
        return {
          poolId,
          leaseId,
          jobId,
          taskId,
          fencingToken,
          deadline,
          program: spec.program,
          inputs,
          args,
          attestations: [],
          share: { cpuMillis: spec.requirements.cpuMillis, devices: [] },
        };
      }),
    );
  });
  test('say what the node must be able to prove', () => {
    const needs = specOf(['task_1'], { attestations: ['tdx'] }, 1);
    const proved = attested(admit('node_a'), 'tdx', at(0), 1_000);
    const { state } = after(proved, queue('job_1', needs), tick(at(0)));
    expect(assignmentsOf(state, poolId, 'node_a')).toMatchObject([{ attestations: ['tdx'] }]);
  });
  test('stay while the task runs, and end with the lease', () => {
    const [first, second] = onA;
    const running = [...placed, start(first, at(1))];
    expect(leaseIds(...running)).toEqual([first.leaseId, second.leaseId]);
    expect(leaseIds(...running, complete(first, at(2)))).toEqual([second.leaseId]);
    expect(leaseIds(...running, fail(first))).toEqual([second.leaseId]);
  });
  test('end with the task, the job and the node', () => {
    expect(leaseIds(...placed, closeTask('job_1', 'task_1'))).toEqual([onA[1].leaseId]);
    expect(leaseIds(...placed, closeJob('job_1'))).toEqual([]);
    expect(leaseIds(...placed, withdraw('node_a'))).toEqual([]);
  });
});

describe('content that a node has worked with', () => {
  const contentUrl = 'http://y.example:4000';
  const dearer = { pricePerSecondAtto: 10n ** 14n };
  const anyPrice = { maxPricePerSecondAtto: 10n ** 16n };
  const [first, second] = [admit('node_x'), admit('node_y', { region: 'fr-par', contentUrl, ...dearer })];
  const inFrance = specOf(['task_1'], { regions: ['fr-par'], ...anyPrice }, 1);
  const queued = [first, second, queue('job_1', inFrance), tick(at(0))];
  const grant = grantsIn(after(...queued).events)[0]!;
  const held = [...queued, start(grant, at(1)), complete(grant, at(2)), closeJob('job_1')];
  const placed = (spec: JobSpec) => {
    const { state, events } = after(...held, queue('job_2', spec), tick(at(3)));
    const { nodeId } = grantsIn(events).at(-1)!;
    return { nodeId, assignment: assignmentsOf(state, poolId, nodeId)[0]! };
  };

  test('makes a job that reads it go there, where another would go elsewhere', () => {
    const same = specOf(['task_2'], anyPrice, 1);
    expect(placed(same).nodeId).toBe('node_y');
    const cid = 'bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e';
    const tasks = [{ taskId: 'task_2', inputs: [{ name: 'shard.bin', cid }], args: [] }];
    expect(placed({ ...same, program: { ...same.program, cid }, tasks }).nodeId).toBe('node_x');
  });
  test('can be had from it by another node whose lease needs it', () => {
    const elsewhere = placed(specOf(['task_2'], { regions: ['de-fra'] }, 1));
    expect(elsewhere.nodeId).toBe('node_x');
    expect(elsewhere.assignment.holders).toEqual({ nodes: [{ nodeId: 'node_y', contentUrl }] });
    expect(placed(specOf(['task_2'], anyPrice, 1)).assignment.holders).toBeUndefined();
  });
  test('is forgotten with the node', () => {
    const { state } = after(
      ...held,
      withdraw('node_y'),
      queue('job_2', specOf(['task_2'], {}, 1)),
      tick(at(3)),
    );
    expect(assignmentsOf(state, poolId, 'node_x')[0]!.holders).toBeUndefined();
  });
});

describe('the nodes that an event touches', () => {
  const touchedBy = (...commands: readonly PoolCommand[]) => [
    ...touchedNodes(after(...commands).events.at(-1)!),
  ];
  test('are those whose assignments it changes', () => {
    expect(touchedBy(...placed)).toEqual(['node_a', 'node_b']);
    expect(touchedBy(...placed, start(onA[0], at(1)), complete(onA[0], at(2)))).toEqual(['node_a']);
    expect(touchedBy(...placed, fail(onA[0]))).toEqual(['node_a']);
    expect(touchedBy(...placed, tick(at(40_001)))).toEqual(['node_a', 'node_b']);
    expect(touchedBy(...placed, closeJob('job_1'))).toEqual(['node_a', 'node_b']);
    expect(touchedBy(...placed, withdraw('node_b'))).toEqual(['node_b']);
    expect(touchedBy(admit('node_a'))).toEqual(['node_a']);
  });
  test('are none where nothing changes for a node', () => {
    expect(touchedBy(...placed, start(onA[0], at(1)))).toEqual([]);
    expect(touchedBy(queue('job_1', spec))).toEqual([]);
  });
});
