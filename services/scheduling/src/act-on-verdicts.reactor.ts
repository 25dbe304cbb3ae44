import { workCostAtto } from '@astro/matching/cost';
import type { Directed, Reactor } from '@astro/event-sourcing/reactor';
import type { Fault, JobCommand, JobFailure, PoolCommand } from '@astro/messages/scheduling';
import type { ResultVerified, TaskEvent } from '@astro/messages/verification';

/** What follows from a verdict: the task is done, one more node is asked, or the job has failed. */
export const actOnVerdicts: Reactor<TaskEvent, JobCommand | PoolCommand> = {
  name: 'scheduling.act-on-verdicts',
  reads: ['verification.task'],

  react({ event: { type, data }, recordedAt: at }) {
    switch (type) {
      case 'ResultVerified':
        return onVerified(data);
      case 'AuditDrawn':
      case 'ResultsDisagreed': {
        const { poolId, jobId, taskId } = data;
        return [{ to: toPool(poolId), type: 'QueueReplica', data: { poolId, jobId, taskId, at } }];
      }
      case 'VerificationFailed': {
        const { jobId, taskId, results } = data;
        const detail = `task ${taskId}: ${results.length} results, and too few of them agree`;
        return [{ to: toJob(jobId), type: 'FailJob', data: { jobId, reason: 'results_disagree', detail } }];
      }
      case 'ResultReceived':
        return [];
    }
  },
};

function onVerified(verdict: ResultVerified): readonly Directed<JobCommand | PoolCommand>[] {
  const { poolId, jobId, taskId, fault, outputs, digest, agreed: work } = verdict;
  if (fault === 'none')
    return [
      { to: toJob(jobId), type: 'CompleteTask', data: { jobId, taskId, outputs, digest, work } },
      {
        to: toPool(poolId),
        type: 'CloseTask',
        data: { poolId, jobId, taskId, costAtto: workCostAtto(work) },
      },
    ];
  // The job's end closes it in the pool, this task with it.
  const detail = `task ${taskId}: ${work.length} nodes agree`;
  return [{ to: toJob(jobId), type: 'FailJob', data: { jobId, reason: reasonFor(fault), detail } }];
}

/** Nodes agreed that the program itself is at fault. */
function reasonFor(fault: Exclude<Fault, 'none'>): JobFailure {
  if (fault === 'unspecified') throw new Error('a result without a fault was verified');
  return fault;
}

const toJob = (id: string) => ({ type: 'scheduling.job', id }) as const;
const toPool = (id: string) => ({ type: 'scheduling.pool', id }) as const;
