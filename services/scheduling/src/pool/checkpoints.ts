import { accept, reject } from '@astro/event-sourcing/decider';
import type { CheckpointLease, Grant, LeaseCheckpointed } from '@astro/messages/scheduling';
import type { PoolJob, PoolTask } from './pool-job.js';
import { poolLimits } from './pool-limits.js';
import { jobOfLease, type Lease, type Pool } from './pool-state.js';
import { onEndedLease, refusalOf, type ReportDecision } from './reports.js';

/** The last checkpoint of a lease is the one that counts: events are bounded by time, whatever a node reports. */
export function checkpointLease(data: CheckpointLease, pool: Pool): ReportDecision {
  const lease = pool.leases.get(data.leaseId);
  if (!lease) return onEndedLease(data, pool, []);
  const refused = refusalOf(data, lease, data.at);
  if (refused) return refused;
  if (!lease.startedAt) return reject('LeaseNotStarted');
  const { checkpoints } = jobOfLease(pool, lease).spec;
  if (!checkpoints) return reject('LeaseKeepsNothing');
  const { poolId, leaseId, checkpoint, at: checkpointedAt } = data;
  if (checkpoint.sizeBytes > checkpoints.sizeLimitBytes) return reject('CheckpointIsTooLarge');
  if (lease.checkpoint?.cid === checkpoint.cid || isTooEarly(lease, checkpointedAt, checkpoints.everyMs))
    return accept();
  const { jobId, taskId, nodeId } = lease;
  const ids = { poolId, leaseId, jobId, taskId, nodeId };
  return accept({ type: 'LeaseCheckpointed', data: { ...ids, checkpoint, checkpointedAt } });
}

/** A report may have been slow and the next one fast. What is kept within a notice is the last that comes. */
function isTooEarly({ checkpointedAt, isPreempted }: Lease, at: Date, everyMs: number): boolean {
  if (!checkpointedAt || isPreempted) return false;
  return at.getTime() - checkpointedAt.getTime() < everyMs / 2;
}

export function keepCheckpoint(lease: Lease, { checkpoint, checkpointedAt }: LeaseCheckpointed): void {
  lease.checkpoint = checkpoint;
  lease.checkpointedAt = checkpointedAt;
}

/**
 * What a lease of this operator continues from. Where nodes are compared, each result is all of one operator's making:
 * another's word about the first half of it could make an honest node's result a wrong one.
 */
export function continuesFrom({ job, kept }: PoolTask, operatorId: string): Pick<Grant, 'checkpoint'> {
  const left = kept.findLast(state => isComparedWithNone(job) || state.operatorId === operatorId);
  return left ? { checkpoint: left.checkpoint } : {};
}

/** What a lease without a result leaves: the last of each operator, or of all where none is compared. */
export function leaveCheckpoint(task: PoolTask, { checkpoint, operatorId }: Lease): void {
  if (!checkpoint) return;
  const others = isComparedWithNone(task.job)
    ? []
    : task.kept.filter(state => state.operatorId !== operatorId);
  task.kept = [...others, { checkpoint, operatorId }].slice(-poolLimits.checkpointsOfTask);
}

const isComparedWithNone = ({ spec }: PoolJob): boolean => spec.quorum === 1;
