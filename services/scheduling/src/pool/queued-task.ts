import { overtakingMaxMs, type QueueOrder } from '@astro/matching/queue/queue-order';
import type { WaitingTask } from '@astro/matching/queue/task-queue';
import type { LeaseClass } from '@astro/messages/scheduling';
import { expectedMs } from './needs.js';
import type { PoolTask } from './pool-job.js';
import { demandOf } from './pool-shares.js';
import type { WaitingGroup } from './waiting-group.js';

/** A task as the queue knows it. */
export type QueuedTask = WaitingTask & { readonly task: PoolTask; readonly group: WaitingGroup };

const MINUTE_MS = 60_000;

/**
 * Who goes first, in milliseconds of waiting: nobody who queues more than 2 h 40 min later is ever ahead. For a
 * market of short tasks; the defaults of the library are those of a training cluster.
 */
export const poolOrder: QueueOrder = {
  handicapForExpected: 1,
  handicapMaxMs: 10 * MINUTE_MS,
  headStartPerPriorityMs: 10 * MINUTE_MS,
  fairnessMaxMs: 60 * MINUTE_MS,
};

/** With it reserved work is ahead of all that queues with it or later, whatever else counts for the other. */
const headStartMs = (leaseClass: LeaseClass) => (leaseClass === 'reserved' ? overtakingMaxMs(poolOrder) : 0);

/** Ids of tasks are unique within a job only. */
export const queueIdOf = ({ job, spec }: PoolTask): string => `${job.jobId} ${spec.taskId}`;

export const queuedTaskOf = (task: PoolTask, group: WaitingGroup): QueuedTask => ({
  taskId: queueIdOf(task),
  tenantId: task.job.tenantId,
  classKey: group.key,
  enqueuedMs: task.job.queuedAt.getTime() - headStartMs(task.job.spec.leaseClass),
  priority: task.job.spec.priority,
  expectedMs: expectedMs(task.job.spec),
  demand: demandOf(task.job.spec),
  task,
  group,
});
