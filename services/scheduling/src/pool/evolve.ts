import { giveBack, holdFor, take, whollyFree } from '@astro/matching/capacity';
import type { FreeCapacity } from '@astro/matching/node';
import type { Grant, PoolEvent, TasksQueued } from '@astro/messages/scheduling';
import type { Offer } from '@astro/messages/registry';
import {
  poolLimits,
  type Lease,
  type LeaseEnd,
  type Pool,
  type PoolJob,
  type PoolNode,
  type PoolTask,
} from './pool-state.js';

/** A copy to build the next state in. The maps of a job's tasks are copied when one of them first changes. */
type Draft = {
  readonly nodes: Map<string, PoolNode>;
  readonly jobs: Map<string, PoolJob>;
  readonly leases: Map<string, Lease>;
  readonly ownTasks: Map<string, Map<string, PoolTask>>;
  nextFencingToken: number;
  endedJobs: ReadonlySet<string>;
};

export function evolve(pool: Pool, event: PoolEvent): Pool {
  const draft: Draft = {
    ...pool,
    nodes: new Map(pool.nodes),
    jobs: new Map(pool.jobs),
    leases: new Map(pool.leases),
    ownTasks: new Map(),
  };
  apply(draft, event);
  const { nodes, jobs, leases, nextFencingToken, endedJobs } = draft;
  return { nodes, jobs, leases, nextFencingToken, endedJobs };
}

function apply(draft: Draft, { type, data }: PoolEvent): void {
  switch (type) {
    case 'NodeAdmitted':
      return admit(draft, data.offer);
    case 'NodeWithdrawn':
      for (const leaseId of nodeOf(draft, data.nodeId).leases) endLease(draft, leaseId, 'revoked');
      draft.nodes.delete(data.nodeId);
      return;
    case 'TasksQueued':
      draft.jobs.set(data.jobId, queued(data));
      return;
    case 'LeasesGranted':
      for (const grant of data.grants) grantLease(draft, grant);
      return;
    case 'LeaseStarted':
      draft.leases.set(data.leaseId, { ...leaseOf(draft, data.leaseId), startedAt: data.startedAt });
      moved(draft, data.jobId, data.startedAt);
      return;
    case 'LeaseCompleted':
      return endLease(draft, data.leaseId, 'completed');
    case 'LeaseFailed':
      return endLease(draft, data.leaseId, 'failed');
    case 'LeasesExpired':
      for (const { leaseId, jobId } of data.leases) {
        moved(draft, jobId, leaseOf(draft, leaseId).deadline);
        endLease(draft, leaseId, 'expired');
      }
      return;
    case 'ReplicaQueued':
      return changeTask(draft, data.jobId, data.taskId, task => ({
        ...task,
        replicasWanted: task.replicasWanted + 1,
      }));
    case 'TaskClosed':
      tasksOf(draft, data.jobId).delete(data.taskId);
      return;
    case 'JobClosed':
    case 'JobAbandoned':
      for (const { leaseId } of data.revoked) endLease(draft, leaseId, 'revoked');
      draft.jobs.delete(data.jobId);
      draft.endedJobs = lastOf(new Set(draft.endedJobs).add(data.jobId), poolLimits.endedJobs);
  }
}

function admit(draft: Draft, offer: Offer): void {
  const known = draft.nodes.get(offer.nodeId);
  const leases = known?.leases ?? new Set<string>();
  // A changed offer meets the live leases again, in the order in which they were granted.
  let free = whollyFree(offer.inventory);
  for (const leaseId of leases) {
    const lease = leaseOf(draft, leaseId);
    const hold = holdAnew(draft, lease, offer, free);
    free = take(free, hold);
    draft.leases.set(leaseId, { ...lease, hold });
  }
  draft.nodes.set(offer.nodeId, { offer, free, leases, endedLeases: known?.endedLeases ?? new Map() });
}

/**
 * Where a lease no longer fits, it keeps its CPU and memory, and free capacity goes below zero until it ends.
 */
function holdAnew(draft: Draft, lease: Lease, offer: Offer, free: FreeCapacity) {
  const { cpuMillis, memoryMib } = lease.hold;
  const { requirements } = jobOf(draft, lease.jobId).spec;
  return holdFor(requirements, { total: offer.inventory, free }) ?? { cpuMillis, memoryMib };
}

const queued = ({ jobId, tenantId, spec, queuedAt }: TasksQueued): PoolJob => ({
  jobId,
  tenantId,
  spec,
  queuedAt,
  movedAt: queuedAt,
  tasks: new Map(
    spec.tasks.map(task => [
      task.taskId,
      {
        spec: task,
        replicasWanted: spec.quorum,
        attempts: 0,
        live: 0,
        completed: 0,
        operators: new Set(),
        failedOn: new Set(),
      },
    ]),
  ),
});

function grantLease(draft: Draft, grant: Grant): void {
  const node = nodeOf(draft, grant.nodeId);
  const { requirements } = jobOf(draft, grant.jobId).spec;
  const hold = holdFor(requirements, { total: node.offer.inventory, free: node.free });
  if (!hold) throw new Error(`lease ${grant.leaseId} over-commits node ${grant.nodeId}`);
  draft.leases.set(grant.leaseId, { ...grant, hold });
  draft.nodes.set(grant.nodeId, {
    ...node,
    free: take(node.free, hold),
    leases: new Set(node.leases).add(grant.leaseId),
  });
  draft.nextFencingToken = grant.fencingToken + 1;
  changeTask(draft, grant.jobId, grant.taskId, task => ({
    ...task,
    attempts: task.attempts + 1,
    live: task.live + 1,
    operators: new Set(task.operators).add(grant.operatorId),
  }));
}

function endLease(draft: Draft, leaseId: string, end: LeaseEnd): void {
  const { nodeId, jobId, taskId, operatorId, hold } = leaseOf(draft, leaseId);
  draft.leases.delete(leaseId);

  const node = nodeOf(draft, nodeId);
  const leases = new Set(node.leases);
  leases.delete(leaseId);
  const endedLeases = lastEntriesOf(
    new Map(node.endedLeases).set(leaseId, end),
    poolLimits.endedLeasesOfNode,
  );
  draft.nodes.set(nodeId, { ...node, free: giveBack(node.free, hold), leases, endedLeases });

  // A closed task has nothing more to count: a lease of it that was still live just gives its capacity back.
  if (!jobOf(draft, jobId).tasks.has(taskId)) return;
  changeTask(draft, jobId, taskId, task => {
    if (end === 'completed') return { ...task, live: task.live - 1, completed: task.completed + 1 };
    const operators = new Set(task.operators);
    operators.delete(operatorId);
    // A node that was withdrawn has not failed the task: when it comes back it may be given it again.
    const failedOn = end === 'revoked' ? task.failedOn : new Set(task.failedOn).add(nodeId);
    return { ...task, live: task.live - 1, operators, failedOn };
  });
}

function moved(draft: Draft, jobId: string, at: Date): void {
  const job = jobOf(draft, jobId);
  if (at.getTime() > job.movedAt.getTime()) draft.jobs.set(jobId, { ...job, movedAt: at });
}

function changeTask(draft: Draft, jobId: string, taskId: string, change: (task: PoolTask) => PoolTask): void {
  const tasks = tasksOf(draft, jobId);
  const task = tasks.get(taskId);
  if (!task) throw new Error(`the pool has no open task ${taskId} of job ${jobId}`);
  tasks.set(taskId, change(task));
}

function tasksOf(draft: Draft, jobId: string): Map<string, PoolTask> {
  const own = draft.ownTasks.get(jobId);
  if (own) return own;
  const job = jobOf(draft, jobId);
  const tasks = new Map(job.tasks);
  draft.ownTasks.set(jobId, tasks);
  draft.jobs.set(jobId, { ...job, tasks });
  return tasks;
}

const nodeOf = (draft: Draft, nodeId: string) => existing(draft.nodes, nodeId, 'node');
const jobOf = (draft: Draft, jobId: string) => existing(draft.jobs, jobId, 'job');
const leaseOf = (draft: Draft, leaseId: string) => existing(draft.leases, leaseId, 'live lease');

function existing<Value>(map: ReadonlyMap<string, Value>, id: string, what: string): Value {
  const value = map.get(id);
  if (value === undefined) throw new Error(`the pool has no ${what} ${id}`);
  return value;
}

function lastOf(set: Set<string>, limit: number): Set<string> {
  for (const oldest of set) {
    if (set.size <= limit) break;
    set.delete(oldest);
  }
  return set;
}

function lastEntriesOf<Value>(map: Map<string, Value>, limit: number): Map<string, Value> {
  for (const oldest of map.keys()) {
    if (map.size <= limit) break;
    map.delete(oldest);
  }
  return map;
}
