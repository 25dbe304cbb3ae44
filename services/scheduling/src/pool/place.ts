import { derivedId } from '@astro/event-sourcing/ids';
import { place, type PlacementRequest } from '@astro/matching/place';
import type { Grant, PlaceTasks, PoolEvent } from '@astro/messages/scheduling';
import { reasonToAbandon } from './abandon.js';
import { evolve } from './evolve.js';
import {
  LEASE_GRACE_MS,
  attemptsLeft,
  ended,
  isOverdue,
  leasesOfJob,
  poolLimits,
  snapshotOf,
  waitingReplicas,
  type Pool,
  type PoolJob,
  type PoolTask,
} from './pool-state.js';

type WaitingReplica = PlacementRequest & { readonly job: PoolJob; readonly attempt: number };

/**
 * One tick: what is overdue expires, what cannot be served is given up, what waits is placed where it fits.
 */
export function placeTasks({ poolId, now, patienceMs }: PlaceTasks, pool: Pool): readonly PoolEvent[] {
  const events: PoolEvent[] = [];
  let state = pool;
  const emit = (event: PoolEvent) => {
    events.push(event);
    state = evolve(state, event);
  };

  // 1. Expire overdue leases; their replicas wait again.
  const overdue = [...state.leases.values()].filter(lease => isOverdue(lease, now));
  const leases = overdue.slice(0, poolLimits.expiriesOfTick).map(ended);
  if (leases.length > 0) emit({ type: 'LeasesExpired', data: { poolId, leases } });

  // 2. Give up jobs whose attempts are used up, or for which there was no node through all their patience.
  const nodes = snapshotOf(state);
  const hopeless = [...state.jobs.values()]
    .flatMap(job => {
      const why = reasonToAbandon(job, nodes, now, patienceMs);
      return why ? [{ job, why }] : [];
    })
    .slice(0, poolLimits.jobsAbandonedOfTick);
  for (const { job, why } of hopeless) {
    const revoked = leasesOfJob(state, job.jobId).map(ended);
    emit({ type: 'JobAbandoned', data: { poolId, jobId: job.jobId, ...why, revoked } });
  }

  // 3. Place the waiting replicas, oldest job first, on what is free now.
  const placements = place(snapshotOf(state), waitingIn(state), poolLimits.grantsOfTick);

  // 4. Fix the price, the deadline and the fencing token of each: one event for the whole tick.
  const grants = placements.map(({ request, nodeId, operatorId, pricePerSecondAtto }, index): Grant => {
    const { job, taskId, attempt } = request;
    return {
      leaseId: derivedId('lease', job.jobId, taskId, attempt),
      jobId: job.jobId,
      taskId,
      nodeId,
      operatorId,
      pricePerSecondAtto,
      deadline: new Date(now.getTime() + job.spec.program.timeLimitMs + LEASE_GRACE_MS),
      fencingToken: state.nextFencingToken + index,
    };
  });
  if (grants.length > 0) emit({ type: 'LeasesGranted', data: { poolId, grants } });
  return events;
}

function* waitingIn(pool: Pool): Generator<WaitingReplica> {
  const oldestFirst = [...pool.jobs.values()].sort((a, b) => a.queuedAt.getTime() - b.queuedAt.getTime());
  for (const job of oldestFirst) for (const task of job.tasks.values()) yield* waitingFor(job, task);
}

function* waitingFor(job: PoolJob, task: PoolTask): Generator<WaitingReplica> {
  const replicas = Math.min(waitingReplicas(task), attemptsLeft(task));
  for (let replica = 1; replica <= replicas; replica += 1)
    yield {
      job,
      taskId: task.spec.taskId,
      // A replica that is passed over leaves its number unused in this tick: numbers only have to differ.
      attempt: task.attempts + replica,
      requirements: job.spec.requirements,
      operatorsExcluded: task.operators,
      nodesExcluded: task.failedOn,
    };
}

/** Whether a tick could have anything to do. */
export const needsTick = (pool: Pool, now: Date): boolean =>
  [...pool.leases.values()].some(lease => isOverdue(lease, now)) ||
  [...pool.jobs.values()].some(job => [...job.tasks.values()].some(task => waitingReplicas(task) > 0));

/**
 * When time alone next changes what a tick decides: a lease becomes overdue, or a job's patience ends.
 * Until then a pool on which a tick found nothing to do needs none.
 */
export function nextDueAt(pool: Pool, now: Date, patienceMs: number): Date | undefined {
  let due = Infinity;
  const consider = (at: number) => {
    if (at > now.getTime() && at < due) due = at;
  };
  for (const lease of pool.leases.values()) consider(lease.deadline.getTime() + 1);
  for (const job of pool.jobs.values()) consider(job.movedAt.getTime() + patienceMs + 1);
  return due === Infinity ? undefined : new Date(due);
}
