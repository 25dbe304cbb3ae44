import { expect, test } from '@jest/globals';
import type { Recorded } from '@astro/event-sourcing/recorded';
import type { PoolEvent, Result } from '@astro/messages/scheduling';
import { recordResults } from './record-results.reactor.js';

const reactor = recordResults(eventId => `seed of ${eventId}`);

const recorded = (event: PoolEvent): Recorded<PoolEvent> => ({
  id: 'event_1',
  aggregate: { type: 'scheduling.pool', id: 'main' },
  event,
  position: 1,
  recordedAt: new Date(0),
  metadata: { correlationId: 'c', causationId: 'c', actor: 'service:scheduling' },
});

const result: Result = {
  leaseId: 'lease_1',
  nodeId: 'node_1',
  operatorId: 'operator_1',
  fault: 'none',
  digest: 'd',
  outputs: [],
  meteredMs: 3,
  pricePerSecondAtto: 4n,
};
const ids = { poolId: 'main', jobId: 'job_1', taskId: 'task_1' };

test('a completed lease is a vote on its task', () => {
  const completed = { ...ids, leaseId: 'lease_1', quorum: 2, result };
  expect(reactor.react(recorded({ type: 'LeaseCompleted', data: completed }))).toEqual([
    {
      to: { type: 'verification.task', id: 'task_1' },
      type: 'RecordResult',
      data: { ...ids, quorum: 2, result },
    },
  ]);
});

test('a vote brings what relates the operators of its task', () => {
  const spread = { relatedBy: 'network', voices: [] } as const;
  const completed = { ...ids, leaseId: 'lease_1', quorum: 2, result, spread };
  expect(reactor.react(recorded({ type: 'LeaseCompleted', data: completed }))[0]!.data).toMatchObject({
    spread,
  });
});

test('a vote brings a seed where its policy draws, and none where it does not', () => {
  const completed = { ...ids, leaseId: 'lease_1', quorum: 2, result };
  const data = (policy: 'quorum' | 'recheck') =>
    reactor.react(
      recorded({
        type: 'LeaseCompleted',
        data: { ...completed, verification: { policy, ...(policy === 'recheck' && { samplePpm: 7 }) } },
      }),
    )[0]!.data;
  expect(data('quorum')).toEqual({ ...ids, quorum: 2, result });
  expect(data('recheck')).toEqual({
    ...ids,
    quorum: 2,
    result,
    verification: { policy: 'recheck', samplePpm: 7 },
    seed: 'seed of event_1',
  });
});

test('a lease that failed on its node is no vote', () => {
  const data = { poolId: 'main', leaseId: 'l', jobId: 'j', taskId: 't', nodeId: 'n', reason: 'disk full' };
  expect(reactor.react(recorded({ type: 'LeaseFailed', data }))).toEqual([]);
});
