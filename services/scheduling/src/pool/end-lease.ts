import { codeOf } from '@astro/messages/runtimes';
import type { ExpiredLease } from '@astro/messages/scheduling';
import { leaveCheckpoint } from './checkpoints.js';
import { holdReplicas } from './evolve-service.js';
import { engineOfferOf } from './fleet.js';
import { forgetOldest, jobOf, leaseOf, nodeOf } from './lookups.js';
import {
  countLease,
  newRecord,
  noteDatasets,
  recordLimits,
  reliabilityOf,
  type NodeRecord,
} from './node-record.js';
import type { PoolJob } from './pool-job.js';
import { poolLimits } from './pool-limits.js';
import { waitApart } from './spread.js';
import type { Lease, LeaseEnd, Pool, PoolNode } from './pool-state.js';

export function endLease(pool: Pool, leaseId: string, end: LeaseEnd): void {
  const lease = leaseOf(pool, leaseId);
  const { nodeId, jobId, taskId, operatorId } = lease;
  pool.leases.delete(leaseId);
  pool.byDeadline.remove(lease);
  pool.interruptible.delete(lease);
  const job = jobOf(pool, jobId);
  job.leases.delete(leaseId);
  const node = nodeOf(pool, nodeId);
  if (lease.bookingId === undefined) {
    pool.use.giveBack(job.spec);
    pool.shares.giveBack(job.tenantId, job.spec);
    pool.room.ended(lease);
  }
  node.leases.delete(leaseId);
  node.endedLeases.set(leaseId, end);
  forgetOldest(node.endedLeases, poolLimits.endedLeasesOfNode);

  judge(pool, node, lease, end);
  // A closed task has nothing more to count: a lease of it that was still live just gives its capacity back.
  const task = job.tasks.get(taskId);
  if (!task) return;
  task.live -= 1;
  if (end === 'completed') task.completed += 1;
  else {
    task.operators.delete(operatorId);
    leaveCheckpoint(task, lease);
  }
  // A node that was withdrawn has not failed the task: when it comes back it may be given it again.
  if (end === 'failed' || end === 'expired') task.failedOn.add(nodeId);
  pool.waiting.refresh(task);
}

/** Nobody failed: it counts neither as an attempt nor against the node. */
export function takeBack(pool: Pool, leases: readonly ExpiredLease[]): void {
  for (const { leaseId, jobId, taskId } of leases) {
    const task = jobOf(pool, jobId).tasks.get(taskId);
    if (task) task.preemptions += 1;
    endLease(pool, leaseId, 'revoked');
  }
}

export function expire(pool: Pool, { leaseId, jobId, taskId }: ExpiredLease): void {
  const { deadline } = leaseOf(pool, leaseId);
  waitApart(jobOf(pool, jobId).tasks.get(taskId), deadline);
  moved(pool, jobOf(pool, jobId), deadline);
  endLease(pool, leaseId, 'expired');
  replaceLater(pool, jobId, deadline);
}

export function revokeAll(pool: Pool, leases: readonly ExpiredLease[]): void {
  for (const { leaseId } of leases) endLease(pool, leaseId, 'revoked');
}

/** A task waits for another node at once, a replica of a service for a while. */
export function replaceLater(pool: Pool, jobId: string, from: Date): void {
  const job = jobOf(pool, jobId);
  if (job.service) holdReplicas(pool, job, from);
}

/** What the end of a lease says about its node. One that was taken from it says nothing. */
function judge(pool: Pool, node: PoolNode, { jobId, taskId, nodeId }: Lease, end: LeaseEnd): void {
  if (end === 'revoked') return;
  const record = recordOf(pool, nodeId);
  countLease(record, end === 'completed');
  const { spec, tasks } = jobOf(pool, jobId);
  const inputs = tasks.get(taskId)?.spec.inputs ?? [];
  const hasNew =
    end === 'completed' && noteDatasets(record, [codeOf(spec.program), ...inputs.map(({ cid }) => cid)]);
  const before = node.engineOffer;
  if (!hasNew && reliabilityOf(record) === before.reliability) return;
  node.engineOffer = engineOfferOf(node.offer, record, node.attestation);
  pool.room.updateNode(node.engineOffer);
  if (node.engineOffer.reliability !== before.reliability) pool.nodeChanges += 1;
}

export function recordOf({ records }: Pool, nodeId: string): NodeRecord {
  const known = records.get(nodeId);
  if (known) return known;
  const record = newRecord();
  records.set(nodeId, record);
  forgetOldest(records, recordLimits.nodes);
  return record;
}

export function moved(pool: Pool, job: PoolJob, at: Date): void {
  if (at.getTime() <= job.movedAt.getTime()) return;
  pool.byMove.remove(job);
  job.movedAt = at;
  pool.byMove.add(job);
}
