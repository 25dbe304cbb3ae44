import type { AdmitNode, PoolEvent } from '@astro/messages/scheduling';
import { ended, jobOfLease, type Lease, type Pool } from './pool-state.js';

type DrainedNode = AdmitNode & { readonly noticeUntil: Date };

/**
 * The operator of a node drains it and has said until when it may go on: what would last longer is told to end by
 * then, on demand or not. That the node gets nothing more is in its offer. What is booked on it stays its booking's,
 * whose capacity was promised to somebody who has paid for it.
 * @param gone leases that end at the same time anyway
 */
export function drainNotice(
  { poolId, offer, noticeUntil, at }: DrainedNode,
  pool: Pool,
  gone: ReadonlySet<string>,
): readonly PoolEvent[] {
  const { nodeId } = offer;
  const leases = [...(pool.nodes.get(nodeId)?.leases ?? [])].map(leaseId => pool.leases.get(leaseId)!);
  const told = leases.filter(
    lease => !gone.has(lease.leaseId) && lease.bookingId === undefined && outlasts(pool, lease, noticeUntil),
  );
  if (told.length === 0 || at === undefined) return [];
  const forNothingElse = { forJobId: '', forTaskId: '', forLeaseClass: 'unspecified' } as const;
  const notice = { poolId, leases: told.map(ended), decidedAt: at, noticeUntil, ...forNothingElse };
  return [{ type: 'LeasesPreempted', data: { ...notice, forDrainOfNodeId: nodeId } }];
}

/** What is renewed goes on beyond its deadline, until it is told not to. */
const outlasts = (pool: Pool, lease: Lease, until: Date): boolean =>
  lease.deadline > until || (!lease.isPreempted && jobOfLease(pool, lease).service !== undefined);
