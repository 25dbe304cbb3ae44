import type { FreeCapacity, NodeSnapshot } from '@astro/matching/node';
import type { Hold } from '@astro/matching/capacity';
import type { ExpiredLease, Grant, JobSpec, TaskSpec } from '@astro/messages/scheduling';
import type { Offer } from '@astro/messages/registry';

/** Limits of one pool. */
export const poolLimits = {
  /** Tasks whose jobs are in the pool. */
  tasks: 100_000,
  grantsOfTick: 500,
  expiriesOfTick: 1_000,
  /** With expiries and grants well below the 1,000 events of one atomic batch. */
  jobsAbandonedOfTick: 100,
  /** Grants of one task beyond the replicas that are wanted. */
  extraAttemptsOfTask: 5,
  /** Ends of leases that a node is remembered by, to tell a late report from an unknown one. */
  endedLeasesOfNode: 64,
  /** Jobs that left, remembered so that a late command does not bring them back. */
  endedJobs: 10_000,
} as const;

/**
 * Time for a node to learn of a lease, fetch what it needs and store what it made, on top of the program's
 * limit. A constant of the domain: deadlines are recorded, but a report is judged by the same rule on every
 * replay.
 */
export const LEASE_GRACE_MS = 30_000;

export type Lease = Grant & {
  readonly hold: Hold;
  readonly startedAt?: Date;
};

export type LeaseEnd = 'completed' | 'failed' | 'expired' | 'revoked';

export type PoolNode = {
  readonly offer: Offer;
  readonly free: FreeCapacity;
  /** Ids of its live leases. */
  readonly leases: ReadonlySet<string>;
  /** Its last ended leases, oldest first. */
  readonly endedLeases: ReadonlyMap<string, LeaseEnd>;
};

export type PoolTask = {
  readonly spec: TaskSpec;
  /** The quorum, and one more for each disagreement. */
  readonly replicasWanted: number;
  /** Leases granted for it so far. */
  readonly attempts: number;
  readonly live: number;
  readonly completed: number;
  /** Operators with a live or a completed lease: none of them gets a second replica. */
  readonly operators: ReadonlySet<string>;
  /** Nodes that failed it or let it expire. */
  readonly failedOn: ReadonlySet<string>;
};

export type PoolJob = {
  readonly jobId: string;
  readonly tenantId: string;
  readonly spec: JobSpec;
  readonly queuedAt: Date;
  /** When it was last seen to move: patience counts from here. */
  readonly movedAt: Date;
  /** Its open tasks, in the order of the specification. */
  readonly tasks: ReadonlyMap<string, PoolTask>;
};

export type Pool = {
  readonly nodes: ReadonlyMap<string, PoolNode>;
  /** In the order in which they were queued. */
  readonly jobs: ReadonlyMap<string, PoolJob>;
  /** Live leases. */
  readonly leases: ReadonlyMap<string, Lease>;
  readonly nextFencingToken: number;
  readonly endedJobs: ReadonlySet<string>;
};

export const emptyPool: Pool = {
  nodes: new Map(),
  jobs: new Map(),
  leases: new Map(),
  nextFencingToken: 1,
  endedJobs: new Set(),
};

export const waitingReplicas = (task: PoolTask): number =>
  Math.max(0, task.replicasWanted - task.live - task.completed);

export const isOverdue = (lease: Lease, now: Date): boolean => lease.deadline.getTime() < now.getTime();

export const leasesOfJob = (pool: Pool, jobId: string): readonly Lease[] =>
  [...pool.leases.values()].filter(lease => lease.jobId === jobId);

/** A lease as the events that end several of them list it. */
export const ended = ({ leaseId, jobId, taskId, nodeId }: Lease): ExpiredLease => ({
  leaseId,
  jobId,
  taskId,
  nodeId,
});

export const attemptsLeft = (task: PoolTask): number =>
  task.replicasWanted + poolLimits.extraAttemptsOfTask - task.attempts;

/** The pool's nodes as the placement engine sees them. */
export const snapshotOf = (pool: Pool): readonly NodeSnapshot[] =>
  [...pool.nodes.values()].map(({ offer, free }) => ({
    nodeId: offer.nodeId,
    operatorId: offer.operatorId,
    region: offer.region,
    runtimes: offer.inventory.runtimes,
    pricePerSecondAtto: offer.pricePerSecondAtto,
    total: offer.inventory,
    free,
  }));
