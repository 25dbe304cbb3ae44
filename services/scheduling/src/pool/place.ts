import { derivedId } from '@astro/event-sourcing/ids';
import type { NodeSnapshot } from '@astro/matching/node';
import { Room } from '@astro/matching/room';
import type { Grant, PlaceTasks, PoolEvent } from '@astro/messages/scheduling';
import { jobsToAbandon } from './abandon.js';
import type { PoolTask } from './pool-job.js';
import { LEASE_GRACE_MS, poolLimits } from './pool-limits.js';
import { ended, isOverdue, leasesOfJob, snapshotOf, type Lease, type Pool } from './pool-state.js';
import { inOrder } from './in-order.js';

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

  const grants = grantsFor(pool, now);
  return grants.length > 0 ? [{ type: 'LeasesGranted', data: { poolId, grants } }] : [];
}

function overdueLeases(pool: Pool, now: Date): readonly Lease[] {
  const overdue: Lease[] = [];
  for (const lease of pool.byDeadline) {
    if (!isOverdue(lease, now) || overdue.length === poolLimits.expiriesOfTick) break;
    overdue.push(lease);
  }
  return overdue;
}

/**
 * Places the waiting replicas, oldest job first, each where it fits now; what does not fit is passed over, and
 * with it all that waits for the same. Fixes the price, the deadline and the fencing token of each lease.
 */
function grantsFor(pool: Pool, now: Date): readonly Grant[] {
  if (pool.waiting.size === 0) return [];
  const room = new Room(snapshotOf(pool));
  const grants: Grant[] = [];
  const waiting = inOrder([...pool.waiting.groups]);
  for (let next = waiting.next(); next && grants.length < poolLimits.grantsOfTick; next = waiting.next()) {
    const { task, group } = next;
    const operatorsExcluded = new Set(task.operators);
    for (let replica = 1; replica <= group.replicas; replica += 1) {
      const taken = room.take(group.requirements, operatorsExcluded, group.nodesExcluded);
      // Where the first replica of a task finds no room, no task of its group does: room only shrinks here.
      if (!taken && replica === 1) waiting.skip(group);
      if (!taken || grants.length === poolLimits.grantsOfTick) break;
      operatorsExcluded.add(taken.node.operatorId);
      grants.push(grantOf(task, replica, taken.node, now, pool.nextFencingToken + grants.length));
    }
  }
  return grants;
}

function grantOf(
  task: PoolTask,
  replica: number,
  node: NodeSnapshot,
  now: Date,
  fencingToken: number,
): Grant {
  const { job, spec } = task;
  const { nodeId, operatorId, pricePerSecondAtto } = node;
  return {
    // A replica that is passed over leaves its number unused in this tick: numbers only have to differ.
    leaseId: derivedId('lease', job.jobId, spec.taskId, task.attempts + replica),
    jobId: job.jobId,
    taskId: spec.taskId,
    nodeId,
    operatorId,
    pricePerSecondAtto,
    deadline: new Date(now.getTime() + job.spec.program.timeLimitMs + LEASE_GRACE_MS),
    fencingToken,
  };
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
