import { accept, reject, type Decision, type Rejected } from '@astro/event-sourcing/decider';
import { ciphertextBytesMax } from '@astro/messages/encryption';
import type { CompleteLease, FailLease, JobSpec, PoolEvent, StartLease } from '@astro/messages/scheduling';
import { isOverdue, jobOfLease, type Lease, type LeaseEnd, type Pool } from './pool-state.js';
import { spreadOf } from './spread.js';
import { hardwareClassOf } from './hardware-class.js';
import { bytesOf, transferOf } from './transfer.js';

export type ReportRejection =
  | 'LeaseNotFound'
  | 'LeaseHasEnded'
  | 'LeaseHasExpired'
  | 'LeaseIsOnAnotherNode'
  | 'LeaseNotStarted'
  | 'LeaseIsNoReplica'
  | 'LeaseKeepsNothing'
  | 'CheckpointIsTooLarge'
  | 'FencingTokenIsStale';
export type ReportDecision = Decision<PoolEvent, ReportRejection>;
type Report = { readonly leaseId: string; readonly nodeId: string; readonly fencingToken: number };

export function startLease(data: StartLease, pool: Pool): ReportDecision {
  const lease = pool.leases.get(data.leaseId);
  // A start that arrives after its own end was late on the way and has nothing to add.
  if (!lease) return onEndedLease(data, pool, ['completed', 'failed']);
  const refused = refusalOf(data, lease, data.at);
  if (refused) return refused;
  if (lease.startedAt) return accept();
  const { poolId, leaseId, nodeId, at: startedAt } = data;
  const { jobId, taskId } = lease;
  return accept({ type: 'LeaseStarted', data: { poolId, leaseId, jobId, taskId, nodeId, startedAt } });
}

/**
 * Use is metered from start to end by the bus's clock, never by the node's word. A result whose start is not
 * known is refused: metering it from the grant would charge the client for the node's waiting and fetching. Transfer
 * is the node's word within bounds.
 */
export function completeLease(data: CompleteLease, pool: Pool): ReportDecision {
  const lease = pool.leases.get(data.leaseId);
  if (!lease) return onEndedLease(data, pool, ['completed']);
  const refused = refusalOf(data, lease, data.at);
  if (refused) return refused;
  if (!lease.startedAt) return reject('LeaseNotStarted');
  const job = jobOfLease(pool, lease);

  const { poolId, leaseId, nodeId, fault, digest, outputs } = data;
  const { jobId, taskId, operatorId, pricePerSecondAtto } = lease;
  const { quorum, service, verification, encryption } = job.spec;
  const failed = (reason: string) =>
    accept<PoolEvent>({
      type: 'LeaseFailed',
      data: { poolId, leaseId, jobId, taskId, nodeId, reason, failedAt: data.at },
    });
  if (service) return failed('a replica does not end by itself');
  // A result in clear of a job that is to be kept from others is none, nor is a digest that nobody could check.
  if ((encryption !== undefined) !== (data.isEncrypted ?? false))
    return failed(encryption ? 'the outputs are in clear' : 'the outputs are encrypted');
  if (bytesOf(outputs) > outputBytesMax(job.spec, outputs.length))
    return failed('the outputs are larger than they may be');
  const usedMs = data.at.getTime() - lease.startedAt.getTime();
  const meteredMs = Math.min(Math.max(1, usedMs), job.spec.program.timeLimitMs);
  const moved = transferOf(lease, job.tasks.get(taskId), data);
  const committed = { leaseId, nodeId, operatorId, fault, digest, outputs };
  const result = {
    ...committed,
    meteredMs,
    pricePerSecondAtto,
    ...moved,
    ...hardwareClassOf(pool, nodeId, job.spec),
    ...(encryption && { isEncrypted: true }),
  };
  const completed = {
    poolId,
    leaseId,
    jobId,
    taskId,
    quorum,
    result,
    ...spreadOf(pool, job.tasks.get(taskId)),
  };
  return accept({ type: 'LeaseCompleted', data: { ...completed, ...(verification && { verification }) } });
}

const outputBytesMax = ({ encryption, program: { outputLimitBytes } }: JobSpec, files: number): number =>
  encryption ? ciphertextBytesMax(outputLimitBytes, files) : outputLimitBytes;

export function failLease(data: FailLease, pool: Pool): ReportDecision {
  const lease = pool.leases.get(data.leaseId);
  if (!lease) return onEndedLease(data, pool, ['failed']);
  const refused = refusalOf(data, lease);
  if (refused) return refused;
  const { poolId, leaseId, nodeId, reason } = data;
  const { jobId, taskId } = lease;
  const failed = { poolId, leaseId, jobId, taskId, nodeId, reason };
  return accept({ type: 'LeaseFailed', data: { ...failed, ...(data.at && { failedAt: data.at }) } });
}

export function refusalOf(report: Report, lease: Lease, at?: Date): Rejected<ReportRejection> | undefined {
  if (lease.nodeId !== report.nodeId) return reject('LeaseIsOnAnotherNode');
  if (lease.fencingToken !== report.fencingToken) return reject('FencingTokenIsStale');
  if (at && isOverdue(lease, at)) return reject('LeaseHasExpired');
  return undefined;
}

/** A lease ends once. The report that ended it may be delivered again; any other comes too late. */
export function onEndedLease(
  { nodeId, leaseId }: Report,
  pool: Pool,
  sameEffect: readonly LeaseEnd[],
): ReportDecision {
  const end = pool.nodes.get(nodeId)?.endedLeases.get(leaseId);
  if (!end) return reject('LeaseNotFound');
  if (sameEffect.includes(end)) return accept();
  return reject(end === 'expired' ? 'LeaseHasExpired' : 'LeaseHasEnded');
}
