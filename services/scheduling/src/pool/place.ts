import type { PlaceTasks, PoolEvent } from '@astro/messages/scheduling';
import { jobsToAbandon } from './abandon.js';
import { grantsFor } from './grants.js';
import { policyNameOf } from './learning/adopt.js';
import { poolLimits } from './pool-limits.js';
import { ended, isOverdue, leasesOfJob, type Lease, type Pool } from './pool-state.js';

/**
 * One tick. It does the first of three that there is to do: what is overdue expires, what cannot be served is
 * given up, what waits is placed where it fits. So each decision rests on recorded facts alone: capacity that
 * comes free by one tick is given away by the next.
 */
export function placeTasks({ poolId, now, patienceMs }: PlaceTasks, pool: Pool): readonly PoolEvent[] {
  const overdue = overdueLeases(pool, now);
  if (overdue.length > 0) return [{ type: 'LeasesExpired', data: { poolId, leases: overdue.map(ended) } }];

  const hopeless = jobsToAbandon(pool, now, patienceMs);
  if (hopeless.length > 0)
    return hopeless.map(({ job, reason, detail }) => {
      const revoked = leasesOfJob(pool, job).map(ended);
      return { type: 'JobAbandoned', data: { poolId, jobId: job.jobId, reason, detail, revoked } };
    });

  const grants = pool.engine.simulate(() => grantsFor(pool, now));
  if (grants.length === 0) return [];
  const policy = policyNameOf(pool);
  const weightsVersion = pool.engine.termWeights.version;
  return [{ type: 'LeasesGranted', data: { poolId, grants, decidedAt: now, policy, weightsVersion } }];
}

function overdueLeases(pool: Pool, now: Date): readonly Lease[] {
  const overdue: Lease[] = [];
  for (const lease of pool.byDeadline) {
    if (!isOverdue(lease, now) || overdue.length === poolLimits.expiriesOfTick) break;
    overdue.push(lease);
  }
  return overdue;
}

/** Whether a tick could have anything to do. */
export function needsTick(pool: Pool, now: Date): boolean {
  const ending = pool.byDeadline.first;
  return pool.waiting.size > 0 || (ending !== undefined && isOverdue(ending, now));
}

/**
 * When time alone next changes what a tick decides: a lease becomes overdue, or a job's patience ends.
 * Until then a pool on which a tick found nothing to do needs none.
 */
export function nextDueAt(pool: Pool, now: Date, patienceMs: number): Date | undefined {
  const ending = pool.byDeadline.firstNotBefore(lease => isOverdue(lease, now));
  const patient = pool.byMove.firstNotBefore(job => now.getTime() - job.movedAt.getTime() > patienceMs);
  const due = Math.min(
    ending ? ending.deadline.getTime() + 1 : Infinity,
    patient ? patient.movedAt.getTime() + patienceMs + 1 : Infinity,
  );
  return due === Infinity ? undefined : new Date(due);
}
