/** Limits of one pool. */
export const poolLimits = {
  /** Tasks whose jobs are in the pool. */
  tasks: 100_000,
  /** One event carries them all, of at most about 400 bytes each, in a message of at most 1 MiB. */
  grantsOfTick: 1_000,
  expiriesOfTick: 1_000,
  /** Nodes whose accepted evidence ends. */
  attestationsOfTick: 1_000,
  /** Well below the 1,000 events of one atomic batch. */
  jobsAbandonedOfTick: 100,
  /** Jobs that one tick asks for money for, each of them for so many tasks at most. */
  fundsRequestedOfTick: 100,
  tasksOfExtension: 64,
  /** Services whose replicas are placed again after a failure. */
  requeuedOfTick: 1_000,
  /** Events of one lease of a server's replica. */
  healthChanges: 100,
  /** Grants of one task beyond the replicas that are wanted. */
  extraAttemptsOfTask: 5,
  /** What leases have left of one task, one of each operator. */
  checkpointsOfTask: 8,
  /** Tasks of a tick that leases are asked to make room for, each by a look at so many of those that lose least. */
  preemptionsTriedOfTick: 8,
  preemptionCandidatesOfTick: 256,
  /** Leases that one task, or one gang, may send away. */
  leasesOfPreemption: 64,
  /** A larger gang sends nobody away and waits for its reservation. */
  membersOfPreemption: 64,
  /** Ends of leases that a node is remembered by, to tell a late report from an unknown one. */
  endedLeasesOfNode: 64,
  /** Jobs that left, remembered so that a late command does not bring them back. */
  endedJobs: 10_000,
} as const;

/** How long a preempted lease may go on. A constant of the domain as well; each notice records its own end. */
export const PREEMPTION_NOTICE_MS = 30_000;

/**
 * Time for a node to learn of a lease, fetch what it needs and store what it made, on top of the program's
 * limit. A constant of the domain: deadlines are recorded, but a report is judged by the same rule on every
 * replay.
 */
export const LEASE_GRACE_MS = 30_000;
