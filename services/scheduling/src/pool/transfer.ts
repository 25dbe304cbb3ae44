import type { Output, Transferred } from '@astro/messages/scheduling';
import type { PoolTask } from './pool-job.js';
import type { Lease } from './pool-state.js';

type Claim = {
  readonly digest: string;
  readonly outputs: readonly Output[];
  readonly transferred?: Transferred;
};
type Metered = { readonly transferred?: Transferred; readonly pricePerGibTransferredAtto?: bigint };

/**
 * What of a node's claim counts. Nobody but the node knows whether it had a content in its cache, so that the claim
 * can only be bounded: each content that the task names counts once for a lease, and of the outputs no more than they
 * have together, nor than they may have. What a replica had told before counts no more.
 * @param task undefined when nobody waits for its result any more
 */
export function transferOf(
  lease: Lease,
  task: PoolTask | undefined,
  { digest, outputs, transferred }: Claim,
): Metered {
  const inputBytes = task?.job.spec.inputSizes?.taskBytes[task.index];
  if (!task || inputBytes === undefined) return {};
  const { renewed, pricePerGibTransferredAtto } = lease;
  const leftBytes = inputBytes - (renewed?.fetchedBytes ?? 0);
  const outputBytes = renewed?.digest === digest ? 0 : bytesOf(outputs);
  const { outputLimitBytes } = task.job.spec.program;
  return {
    transferred: {
      fetchedBytes: Math.min(transferred?.fetchedBytes ?? 0, leftBytes),
      uploadedBytes: Math.min(transferred?.uploadedBytes ?? 0, outputBytes, outputLimitBytes),
    },
    ...(pricePerGibTransferredAtto !== undefined && { pricePerGibTransferredAtto }),
  };
}

/** Two outputs with the same content are one. */
export function bytesOf(outputs: readonly Output[]): number {
  const sizes = new Map(outputs.map(({ cid, sizeBytes }) => [cid, sizeBytes]));
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}
