import { giveBack, holdFor, take, whollyFree } from '@astro/matching/capacity';
import type { FreeCapacity } from '@astro/matching/node';
import type { Grant, PoolEvent, TasksQueued } from '@astro/messages/scheduling';
import type { Offer } from '@astro/messages/registry';
import type { PoolJob, PoolTask } from './pool-job.js';
import { poolLimits } from './pool-limits.js';
import type { Lease, LeaseEnd, Pool } from './pool-state.js';
import { NOWHERE } from './waiting-tasks.js';

/** Changes the pool in place and gives it back: a copy for each event would cost more than all else. */
export function evolve(pool: Pool, { type, data }: PoolEvent): Pool {
  switch (type) {
    case 'NodeAdmitted':
      admit(pool, data.offer);
      return pool;
    case 'NodeWithdrawn':
      for (const leaseId of nodeOf(pool, data.nodeId).leases) endLease(pool, leaseId, 'revoked');
      pool.nodes.delete(data.nodeId);
      pool.nodeChanges += 1;
      pool.nodesLost += 1;
      return pool;
    case 'TasksQueued':
      queueJob(pool, data);
      return pool;
    case 'LeasesGranted':
      for (const grant of data.grants) grantLease(pool, grant);
      return pool;
    case 'LeaseStarted':
      leaseOf(pool, data.leaseId).startedAt = data.startedAt;
      moved(pool, jobOf(pool, data.jobId), data.startedAt);
      return pool;
    case 'LeaseCompleted':
      endLease(pool, data.leaseId, 'completed');
      return pool;
    case 'LeaseFailed':
      endLease(pool, data.leaseId, 'failed');
      return pool;
    case 'LeasesExpired':
      for (const { leaseId, jobId } of data.leases) {
        moved(pool, jobOf(pool, jobId), leaseOf(pool, leaseId).deadline);
        endLease(pool, leaseId, 'expired');
      }
      return pool;
    case 'ReplicaQueued': {
      const task = taskOf(pool, data.jobId, data.taskId);
      task.replicasWanted += 1;
      pool.waiting.refresh(task);
      return pool;
    }
    case 'TaskClosed':
      closeTask(pool, taskOf(pool, data.jobId, data.taskId));
      return pool;
    case 'JobClosed':
    case 'JobAbandoned':
      for (const { leaseId } of data.revoked) endLease(pool, leaseId, 'revoked');
      leave(pool, data.jobId);
      return pool;
  }
}

function admit(pool: Pool, offer: Offer): void {
  const known = pool.nodes.get(offer.nodeId);
  const leases = known?.leases ?? new Set<string>();
  // A changed offer meets the live leases again, in the order in which they were granted.
  let free = whollyFree(offer.inventory);
  for (const leaseId of leases) {
    const lease = leaseOf(pool, leaseId);
    lease.hold = holdAnew(pool, lease, offer, free);
    free = take(free, lease.hold);
  }
  const endedLeases = known?.endedLeases ?? new Map<string, LeaseEnd>();
  pool.nodes.set(offer.nodeId, { offer, free, leases, endedLeases });
  pool.nodeChanges += 1;
}

/**
 * Where a lease no longer fits, it keeps its CPU and memory, and free capacity goes below zero until it ends.
 */
function holdAnew(pool: Pool, lease: Lease, offer: Offer, free: FreeCapacity) {
  const { cpuMillis, memoryMib } = lease.hold;
  const { requirements } = jobOf(pool, lease.jobId).spec;
  return holdFor(requirements, { total: offer.inventory, free }) ?? { cpuMillis, memoryMib };
}

function queueJob(pool: Pool, { jobId, tenantId, spec, queuedAt }: TasksQueued): void {
  pool.jobsQueued += 1;
  const job: PoolJob = {
    jobId,
    tenantId,
    spec,
    queuedAt,
    number: pool.jobsQueued,
    requirementsKey: keyOf(spec.requirements),
    movedAt: queuedAt,
    tasks: new Map(),
    leases: new Set(),
  };
  pool.jobs.set(jobId, job);
  pool.byMove.add(job);
  pool.openTasks += spec.tasks.length;
  for (const [index, task] of spec.tasks.entries()) {
    const waiting: PoolTask = {
      job,
      spec: task,
      index,
      replicasWanted: spec.quorum,
      attempts: 0,
      live: 0,
      completed: 0,
      operators: new Set(),
      failedOn: new Set(),
      isOpen: true,
      waitsIn: NOWHERE,
    };
    job.tasks.set(task.taskId, waiting);
    pool.waiting.refresh(waiting);
  }
}

/** Text that is the same for the same values, whatever the order in which the fields were written. */
const keyOf = (requirements: object): string =>
  JSON.stringify(
    Object.entries(requirements).sort(([left], [right]) => (left < right ? -1 : 1)),
    (_key, value: unknown) => (typeof value === 'bigint' ? `${value}` : value),
  );

function grantLease(pool: Pool, grant: Grant): void {
  const node = nodeOf(pool, grant.nodeId);
  const task = taskOf(pool, grant.jobId, grant.taskId);
  const { requirements } = task.job.spec;
  const hold = holdFor(requirements, { total: node.offer.inventory, free: node.free });
  if (!hold) throw new Error(`lease ${grant.leaseId} over-commits node ${grant.nodeId}`);
  const lease: Lease = { ...grant, hold, startedAt: undefined };
  pool.leases.set(grant.leaseId, lease);
  pool.byDeadline.add(lease);
  task.job.leases.add(grant.leaseId);
  node.free = take(node.free, hold);
  node.leases.add(grant.leaseId);
  pool.nextFencingToken = grant.fencingToken + 1;
  task.attempts += 1;
  task.live += 1;
  task.operators.add(grant.operatorId);
  pool.waiting.refresh(task);
}

function endLease(pool: Pool, leaseId: string, end: LeaseEnd): void {
  const lease = leaseOf(pool, leaseId);
  const { nodeId, jobId, taskId, operatorId, hold } = lease;
  pool.leases.delete(leaseId);
  pool.byDeadline.remove(lease);
  const job = jobOf(pool, jobId);
  job.leases.delete(leaseId);

  const node = nodeOf(pool, nodeId);
  node.free = giveBack(node.free, hold);
  node.leases.delete(leaseId);
  node.endedLeases.set(leaseId, end);
  forgetOldest(node.endedLeases, poolLimits.endedLeasesOfNode);

  // A closed task has nothing more to count: a lease of it that was still live just gives its capacity back.
  const task = job.tasks.get(taskId);
  if (!task) return;
  task.live -= 1;
  if (end === 'completed') task.completed += 1;
  else task.operators.delete(operatorId);
  // A node that was withdrawn has not failed the task: when it comes back it may be given it again.
  if (end === 'failed' || end === 'expired') task.failedOn.add(nodeId);
  pool.waiting.refresh(task);
}

function moved(pool: Pool, job: PoolJob, at: Date): void {
  if (at.getTime() <= job.movedAt.getTime()) return;
  pool.byMove.remove(job);
  job.movedAt = at;
  pool.byMove.add(job);
}

function closeTask(pool: Pool, task: PoolTask): void {
  task.isOpen = false;
  pool.waiting.refresh(task);
  pool.openTasks -= 1;
  task.job.tasks.delete(task.spec.taskId);
}

function leave(pool: Pool, jobId: string): void {
  const job = pool.jobs.get(jobId);
  pool.endedJobs.add(jobId);
  forgetOldest(pool.endedJobs, poolLimits.endedJobs);
  // A job that the pool had no room for was never in it.
  if (!job) return;
  for (const task of job.tasks.values()) closeTask(pool, task);
  pool.byMove.remove(job);
  pool.jobs.delete(jobId);
}

function taskOf(pool: Pool, jobId: string, taskId: string): PoolTask {
  return existing(jobOf(pool, jobId).tasks, taskId, `open task of job ${jobId}`);
}
const nodeOf = (pool: Pool, nodeId: string) => existing(pool.nodes, nodeId, 'node');
const jobOf = (pool: Pool, jobId: string) => existing(pool.jobs, jobId, 'job');
const leaseOf = (pool: Pool, leaseId: string) => existing(pool.leases, leaseId, 'live lease');

function existing<Value>(map: ReadonlyMap<string, Value>, id: string, what: string): Value {
  const value = map.get(id);
  if (value === undefined) throw new Error(`the pool has no ${what} ${id}`);
  return value;
}

/** Sets and maps keep the order in which their entries came. */
function forgetOldest(
  entries: { readonly size: number; keys(): Iterable<string>; delete(key: string): boolean },
  limit: number,
): void {
  for (const oldest of entries.keys()) {
    if (entries.size <= limit) return;
    entries.delete(oldest);
  }
}
