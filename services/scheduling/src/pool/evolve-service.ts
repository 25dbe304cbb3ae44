import { usedAtto } from '@astro/matching/cost';
import type {
  LeaseRenewed,
  ReplicasMetered,
  ReplicasRequeued,
  ServiceScaled,
} from '@astro/messages/scheduling';
import type { PoolJob } from './pool-job.js';
import type { Lease, Pool } from './pool-state.js';
import { scaleSeen } from './renewals.js';
import { replacementDelayMs, replicatedTask, serviceOf } from './service.js';

/** What the events of a service change in the pool, its leases aside that end with them. */
export function renew(pool: Pool, job: PoolJob, lease: Lease, data: LeaseRenewed): void {
  const service = serviceOf(job);
  const { recent, busyShare } = scaleSeen(pool, job, { type: 'LeaseRenewed', data });
  const { digest, transferred } = data.work;
  const fetchedBytes = (lease.renewed?.fetchedBytes ?? 0) + (transferred?.fetchedBytes ?? 0);
  const renewed = { at: data.renewedAt, busyShare, fetchedBytes, digest };
  service.recent = recent;
  service.charges = data.chargeNumber;
  service.spentAtto += usedAtto(data.work);
  // A server that starts again and again has its lease, and serves nobody.
  if (!job.spec.service?.server || lease.health?.isHealthy) service.failures = 0;
  pool.byDeadline.remove(lease);
  lease.renewed = renewed;
  lease.deadline = data.deadline;
  pool.byDeadline.add(lease);
}

/** The leases end with the next event. */
export function countCharges(job: PoolJob, { chargeNumber, work }: ReplicasMetered): void {
  const service = serviceOf(job);
  service.charges = chargeNumber + work.length - 1;
  for (const used of work) service.spentAtto += usedAtto(used);
}

export function scale(pool: Pool, job: PoolJob, data: ServiceScaled): void {
  const service = serviceOf(job);
  const task = replicatedTask(job);
  service.replicasMin = data.replicasMin;
  service.replicasMax = data.replicasMax;
  if (task.replicasWanted !== data.replicas) {
    service.scaledAt = data.scaledAt;
    for (const leaseId of job.leases) {
      const { renewed } = pool.leases.get(leaseId)!;
      if (renewed) renewed.busyShare = undefined;
    }
  }
  task.replicasWanted = data.replicas;
  pool.waiting.refresh(task);
}

/** Failures of several replicas during one wait count as one. */
export function holdReplicas(pool: Pool, job: PoolJob, from: Date): void {
  const service = serviceOf(job);
  if (service.heldUntil) return;
  service.failures += 1;
  service.heldUntil = new Date(from.getTime() + replacementDelayMs(service.failures));
  pool.onHold.add(job);
  pool.waiting.refresh(replicatedTask(job));
}

export function requeue(pool: Pool, job: PoolJob, { isOnFailedNodes }: ReplicasRequeued): void {
  const task = replicatedTask(job);
  release(pool, job);
  if (isOnFailedNodes) task.failedOn.clear();
  pool.waiting.refresh(task);
}

/** The job waits for nothing any more. */
export function release(pool: Pool, job: PoolJob): void {
  if (!job.service?.heldUntil) return;
  pool.onHold.remove(job);
  job.service.heldUntil = undefined;
}
