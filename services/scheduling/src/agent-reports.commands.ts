import type {
  HoldingsChanged,
  ReplicaHealthy,
  ReplicaRunning,
  TaskCheckpointed,
  TaskCompleted,
  TaskFailed,
  TaskStarted,
} from '@astro/messages/agent';
import type { PoolCommand } from '@astro/messages/scheduling';
import { isFileName } from './job/job-limits.js';
import { isCid } from './job/program-limits.js';
import { resultDigest } from '@astro/messages/result-digest';

/** Where a report comes from: the node that its credentials let it speak for, and when the bus took it. */
export type ReportOrigin = { readonly nodeId: string; readonly at: Date };

export const reportLimits = { outputs: 64, reasonLength: 500 } as const;

const DIGEST = /^[0-9a-f]{64}$/;

export const startOf = (
  { poolId, leaseId, fencingToken }: TaskStarted,
  origin: ReportOrigin,
): PoolCommand => ({
  type: 'StartLease',
  data: { poolId, leaseId, fencingToken, ...origin },
});

/** A result that is unsound is no result: the lease has failed, and another node is asked. */
export function completionOf(report: TaskCompleted, origin: ReportOrigin): PoolCommand {
  const { poolId, leaseId, fencingToken, fault, digest, outputs, transferred, isEncrypted } = report;
  const flaw = flawOf(report) ?? flawOfTransfer(transferred);
  if (flaw) return failureOf({ poolId, leaseId, fencingToken, reason: flaw }, origin);
  return {
    type: 'CompleteLease',
    data: {
      ...{ poolId, leaseId, fencingToken, ...origin, fault, digest, outputs },
      ...(transferred && { transferred }),
      ...(isEncrypted && { isEncrypted }),
    },
  };
}

/** The last run's outputs count as a result's do. Before the first run has ended there are none. */
export function renewalOf(report: ReplicaRunning, origin: ReportOrigin): PoolCommand {
  const { poolId, leaseId, fencingToken, runs, busyMs, digest, outputs, transferred } = report;
  const hasRun = digest !== '' || outputs.length > 0;
  const flaw =
    (hasRun ? flawOf({ fault: 'none', digest, outputs }) : undefined) ?? flawOfTransfer(transferred);
  if (flaw) return failureOf({ poolId, leaseId, fencingToken, reason: flaw }, origin);
  return {
    type: 'RenewLease',
    data: {
      ...{ poolId, leaseId, fencingToken, ...origin, runs, busyMs, digest, outputs },
      ...(transferred && { transferred }),
    },
  };
}

/** What it is of is for the lease to say; that somebody may fetch it is looked at here. */
export function checkpointOf(
  { poolId, leaseId, fencingToken, checkpoint }: TaskCheckpointed,
  origin: ReportOrigin,
): PoolCommand {
  const told = { poolId, leaseId, fencingToken };
  if (!isCid(checkpoint?.cid ?? ''))
    return failureOf({ ...told, reason: 'a checkpoint has no content id' }, origin);
  return { type: 'CheckpointLease', data: { ...told, ...origin, checkpoint } };
}

/** @param reason why it is not healthy; empty when it is */
export const healthOf = (
  { poolId, leaseId, fencingToken }: ReplicaHealthy,
  reason: string,
  origin: ReportOrigin,
): PoolCommand => ({
  type: 'NoteReplicaHealth',
  data: {
    ...{ poolId, leaseId, fencingToken, ...origin, isHealthy: reason === '' },
    reason: reason.slice(0, reportLimits.reasonLength),
  },
});

/** In the pool that this service places for: what a node holds is no matter of a lease. */
export const holdingsOf = (changed: HoldingsChanged, poolId: string, origin: ReportOrigin): PoolCommand => ({
  type: 'NoteHoldings',
  data: { poolId, ...origin, ...changed },
});

export function failureOf(
  { poolId, leaseId, fencingToken, reason }: TaskFailed,
  origin: ReportOrigin,
): PoolCommand {
  const shortened = reason.slice(0, reportLimits.reasonLength);
  return { type: 'FailLease', data: { poolId, leaseId, fencingToken, ...origin, reason: shortened } };
}

/** Agents are untrusted, so that a report's form is checked before anything is decided by it. */
function flawOf({
  fault,
  digest,
  outputs,
  isEncrypted,
}: Pick<TaskCompleted, 'fault' | 'digest' | 'outputs' | 'isEncrypted'>): string | undefined {
  if (fault === 'unspecified') return 'the report has no fault';
  if (outputs.length > reportLimits.outputs) return `more than ${reportLimits.outputs} outputs`;
  if (!outputs.every(output => isFileName(output.name))) return 'an output has no file name';
  if (new Set(outputs.map(output => output.name)).size < outputs.length) return 'two outputs have one name';
  if (!outputs.every(output => isCid(output.cid))) return 'an output has no content id';
  if (!DIGEST.test(digest)) return 'the digest is not 64 hexadecimal digits';
  // Of ciphertext the digest is over what is in clear: whether it may be so is for the job to say.
  if (!isEncrypted && digest !== resultDigest(fault, outputs)) return 'digest does not match outputs';
  return undefined;
}

function flawOfTransfer(transferred: TaskCompleted['transferred']): string | undefined {
  for (const [direction, bytes] of Object.entries(transferred ?? {}))
    if (!Number.isSafeInteger(bytes) || bytes < 0)
      return `transferred.${direction}: must be a whole number from 0 to below 2^53`;
  return undefined;
}
