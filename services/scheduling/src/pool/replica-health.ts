import { accept, reject } from '@astro/event-sourcing/decider';
import type { NoteReplicaHealth, PoolEvent } from '@astro/messages/scheduling';
import { poolLimits } from './pool-limits.js';
import { jobOfLease, type Lease, type Pool } from './pool-state.js';
import { onEndedLease, refusalOf, type ReportDecision } from './reports.js';

/**
 * Who holds the lease says whether its replica answers; gateways see for themselves whether it does. Each change is
 * an event, so that a replica which is now so and now so ends before there are too many.
 */
export function noteReplicaHealth(data: NoteReplicaHealth, pool: Pool): ReportDecision {
  const lease = pool.leases.get(data.leaseId);
  if (!lease) return onEndedLease(data, pool, ['failed']);
  const refused = refusalOf(data, lease, data.at);
  if (refused) return refused;
  if (!lease.startedAt) return reject('LeaseNotStarted');
  if (!jobOfLease(pool, lease).spec.service?.server) return reject('LeaseIsNoReplica');
  const { isHealthy, changes } = lease.health ?? { isHealthy: false, changes: 0 };
  if (isHealthy === data.isHealthy) return accept();
  const { poolId, leaseId, nodeId, at, reason } = data;
  const named = { poolId, leaseId, jobId: lease.jobId, taskId: lease.taskId, nodeId };
  if (changes === poolLimits.healthChanges) {
    const tooOften = `its health has changed ${changes} times`;
    return accept<PoolEvent>({ type: 'LeaseFailed', data: { ...named, reason: tooOften, failedAt: at } });
  }
  return data.isHealthy
    ? accept<PoolEvent>({ type: 'ReplicaBecameHealthy', data: { ...named, notedAt: at } })
    : accept<PoolEvent>({ type: 'ReplicaBecameUnhealthy', data: { ...named, notedAt: at, reason } });
}

export function changeHealth(lease: Lease, isHealthy: boolean): void {
  lease.health = { isHealthy, changes: (lease.health?.changes ?? 0) + 1 };
}
