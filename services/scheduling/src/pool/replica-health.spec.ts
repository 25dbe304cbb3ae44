import { describe, expect, test } from '@jest/globals';
import type { Grant, PoolCommand } from '@astro/messages/scheduling';
import { assignmentsOf } from '../desired-state.js';
import {
  admit,
  after,
  at,
  fail,
  grantsIn,
  offerOf,
  poolId,
  queue,
  specOf,
  start,
  tick,
} from './pool-examples.js';
import { pool } from './pool.js';
import { poolLimits } from './pool-limits.js';
import { failAt, healthAt, report, server, serving, servingRequests } from './service-examples.js';
import { replacementDelayMs } from './service.js';

const offering = (...runtimes: string[]) => {
  const { inventory } = offerOf('node_a');
  return admit('node_a', { inventory: { ...inventory, runtimes } });
};
const node = offering('wasm', 'process', 'process+server');
const placed = [node, queue('job_s', servingRequests({ replicasMin: 1 })), tick(at(0))];
const [grant] = grantsIn(after(...placed).events) as [Grant];
const running = [...placed, start(grant, at(0))];
const told = (...commands: PoolCommand[]) => after(...running, ...commands);
const lastOf = (...commands: PoolCommand[]) => told(...commands).events.at(-1);
const refusal = (command: PoolCommand, ...before: PoolCommand[]) =>
  pool.decide(command, after(...before).state);

describe('a server', () => {
  test('is placed only on nodes that can reach its port', () => {
    const placedOn = (...runtimes: string[]) =>
      grantsIn(after(offering(...runtimes), queue('job_s', servingRequests()), tick(at(0))).events);
    expect(placedOn('process')).toEqual([]);
    expect(placedOn('process+server')).toHaveLength(2);
  });

  test('is told to its nodes whole, and that it has notice', () => {
    const replicaOf = (...commands: PoolCommand[]) =>
      assignmentsOf(told(...commands).state, poolId, 'node_a')[0]?.replica;
    const orders = { runEveryMs: 0, reportEveryMs: 10_000, server };
    expect(replicaOf()).toEqual({ ...orders, isUnderNotice: false });
    const spec = { ...servingRequests({ replicasMin: 1 }), leaseClass: 'interruptible' as const };
    const full = [
      node,
      queue('job_s', spec),
      tick(at(0)),
      queue('urgent', specOf(['u'], { cpuMillis: 2_000 }, 1)),
    ];
    const { state } = after(...full, tick(at(20_000)));
    expect(assignmentsOf(state, poolId, 'node_a')[0]?.replica).toEqual({ ...orders, isUnderNotice: true });
  });
});

describe('the health of a replica', () => {
  test('is what its node says, each change once', () => {
    const healthy = healthAt(grant, 1_000, true);
    expect(lastOf(healthy)).toMatchObject({
      type: 'ReplicaBecameHealthy',
      data: { leaseId: grant.leaseId, nodeId: 'node_a', notedAt: at(1_000) },
    });
    const { length } = told(healthy).events;
    expect(told(healthy, healthAt(grant, 2_000, true)).events).toHaveLength(length);
    expect(lastOf(healthy, healthAt(grant, 2_000, false))).toMatchObject({
      type: 'ReplicaBecameUnhealthy',
      data: { reason: 'status 500' },
    });
  });

  test('is not noted before it was healthy once', () =>
    expect(lastOf(healthAt(grant, 1_000, false))?.type).toBe('LeaseStarted'));

  test('is nothing that another node, a stale lease or one that has not started could tell', () => {
    const [other, stale] = [
      { ...grant, nodeId: 'node_b' },
      { ...grant, fencingToken: 99 },
    ];
    expect(refusal(healthAt(other, 1, true), ...running)).toMatchObject({
      rejection: 'LeaseIsOnAnotherNode',
    });
    expect(refusal(healthAt(stale, 1, true), ...running)).toMatchObject({ rejection: 'FencingTokenIsStale' });
    expect(refusal(healthAt(grant, 1, true), ...placed)).toMatchObject({ rejection: 'LeaseNotStarted' });
    expect(refusal(healthAt(grant, 10 ** 7, true), ...running)).toMatchObject({
      rejection: 'LeaseHasExpired',
    });
  });

  test('is none of a service that is no server', () => {
    const steps = [admit('node_a'), queue('job_s', serving({ replicasMin: 1 })), tick(at(0))];
    const [own] = grantsIn(after(...steps).events) as [Grant];
    const decision = refusal(healthAt(own, 1, true), ...steps, start(own, at(0)));
    expect(decision).toMatchObject({ rejection: 'LeaseIsNoReplica' });
  });

  test('ends the lease of a replica where it changes again and again', () => {
    const changes = Array.from({ length: poolLimits.healthChanges + 1 }, (_, index) =>
      healthAt(grant, 1_000, index % 2 === 0),
    );
    expect(lastOf(...changes.slice(0, -1))?.type).toBe('ReplicaBecameUnhealthy');
    expect(lastOf(...changes)).toMatchObject({
      type: 'LeaseFailed',
      data: { reason: `its health has changed ${poolLimits.healthChanges} times`, failedAt: at(1_000) },
    });
  });

  test('says whether failures before it still count: one that never served is replaced ever more slowly', () => {
    const again = (first: PoolCommand[]) => {
      const failed = [
        ...running,
        failAt(grant, 1_000),
        tick(at(1_000 + replacementDelayMs(1))),
        tick(at(3_000)),
      ];
      const second = grantsIn(after(...failed).events)[1]!;
      const steps = [...failed, start(second, at(3_000))];
      const heard = first.length > 0 ? [healthAt(second, 4_000, true)] : [];
      const { state } = after(...steps, ...heard, report(second, 13_000), failAt(second, 13_001));
      return state.jobs.get('job_s')!.service!.heldUntil!.getTime() - 13_001;
    };
    expect(again([])).toBe(at(0).getTime() + replacementDelayMs(2));
    expect(again([fail(grant)])).toBe(at(0).getTime() + replacementDelayMs(1));
  });
});
