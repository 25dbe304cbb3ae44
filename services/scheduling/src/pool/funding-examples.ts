import { taskCostAtto } from '@astro/matching/cost';
import type { Funding, JobSpec, PoolCommand } from '@astro/messages/scheduling';
import { at, poolId, queue, specOf } from './pool-examples.js';

/** Examples of jobs that are funded stepwise, which the specs of the pool share. */
export const noticeMs = 60_000;

export const stepwise = (
  tasks: number,
  change: Partial<JobSpec> = {},
  funding: Partial<Funding> = {},
): JobSpec => ({
  ...specOf(
    Array.from({ length: tasks }, (_, index) => `task_${index}`),
    { cpuMillis: 100, memoryMib: 1 },
    1,
  ),
  funding: { mode: 'stepwise', onShortage: 'notice_then_stop', noticeMs, ...funding },
  ...change,
});

/** The most that one task of `stepwise` can cost. */
export const most = taskCostAtto(stepwise(1));

export const queueFunded = (spec: JobSpec, fundedAtto: bigint, jobId = 'job_1'): PoolCommand => {
  const { data } = queue(jobId, spec) as Extract<PoolCommand, { type: 'QueueTasks' }>;
  return { type: 'QueueTasks', data: { ...data, fundedAtto } };
};
export const addFunds = (number: number, amountAtto: bigint, jobId = 'job_1'): PoolCommand => ({
  type: 'AddFunds',
  data: { poolId, jobId, number, amountAtto },
});
export const declineFunds = (number: number, ms = 0, jobId = 'job_1', budgetId?: string): PoolCommand => ({
  type: 'DeclineFunds',
  data: {
    ...{ poolId, jobId, number, requiredAtto: most, availableAtto: 1n, at: at(ms) },
    ...(budgetId !== undefined && { budgetId }),
  },
});
export const closeFor = (taskId: string, costAtto: bigint, jobId = 'job_1'): PoolCommand => ({
  type: 'CloseTask',
  data: { poolId, jobId, taskId, costAtto },
});
