import type { Checkpoint, JobSpec, TaskSpec } from '@astro/messages/scheduling';
import type { PoolFunding } from './pool-funding.js';
import type { PoolService } from './pool-service.js';
import { poolLimits } from './pool-limits.js';

/** What a lease has left. */
export type KeptState = {
  readonly checkpoint: Checkpoint;
  /** Who vouches for it. */
  readonly operatorId: string;
};

export type PoolTask = {
  readonly job: PoolJob;
  readonly spec: TaskSpec;
  /** Its place in the job's specification. */
  readonly index: number;
  /** Those at first, and one more for each time that verification asked for one. */
  replicasWanted: number;
  /** Leases granted for it so far. */
  attempts: number;
  /** How many of them were taken back for others: they do not count. */
  preemptions: number;
  live: number;
  completed: number;
  /** Operators with a live or a completed lease: none of them gets a second replica. */
  readonly operators: Set<string>;
  /** Since when another replica waits for an operator that is related to none of these; absent where none is known. */
  apartSince: Date | undefined;
  /** Nodes that failed it or let it expire. */
  readonly failedOn: Set<string>;
  /** What leases that are gone have left for those to come, the latest last. */
  kept: readonly KeptState[];
  isOpen: boolean;
  /** Whether it may be placed: of an array only so many tasks are at a time. */
  isBegun: boolean;
  /** The group of waiting tasks that it is in. */
  waitsIn: string;
  /** Counts the times that a task began to wait: of equals, who began earlier goes first. */
  waitingSince: number;
};

export type PoolJob = {
  readonly jobId: string;
  readonly tenantId: string;
  readonly spec: JobSpec;
  readonly queuedAt: Date;
  /** Counts the pool's jobs in the order in which they were queued. */
  readonly number: number;
  /** The same for two jobs whose tasks can take each other's place. */
  readonly needsKey: string;
  /** When it was last seen to move: patience counts from here. */
  movedAt: Date;
  /** Its open tasks, in the order of the specification. */
  readonly tasks: Map<string, PoolTask>;
  /** Its tasks that are not begun yet, in the same order. */
  readonly heldBack: PoolTask[];
  /** Ids of its live leases. */
  readonly leases: Set<string>;
  /** Present for a service, whose one task has as many replicas as are wanted. */
  readonly service: PoolService | undefined;
  /** Present for a job that is funded stepwise. */
  readonly funding: PoolFunding | undefined;
};

export const waitingReplicas = (task: PoolTask): number =>
  task.job.service?.heldUntil ? 0 : Math.max(0, task.replicasWanted - task.live - task.completed);

/** A service is replaced for as long as it lives. */
export const attemptsLeft = (task: PoolTask): number =>
  task.job.service
    ? Infinity
    : task.replicasWanted + poolLimits.extraAttemptsOfTask + task.preemptions - task.attempts;
