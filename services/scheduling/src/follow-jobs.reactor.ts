import type { Reactor } from '@astro/event-sourcing/reactor';
import type { JobEvent, PoolCommand } from '@astro/messages/scheduling';

/**
 * The pool has a job's tasks from its queueing to its end. One reactor for both, because a reactor keeps the
 * order of one job's events: a job that is cancelled right after it was queued must not stay in the pool.
 * @param poolId the pool of a job that succeeded, whose event does not name it
 */
export const followJobs = (poolId: string): Reactor<JobEvent, PoolCommand> => ({
  name: 'scheduling.follow-jobs',
  reads: ['scheduling.job'],

  react({ event: { type, data }, recordedAt }) {
    switch (type) {
      case 'JobQueued': {
        const { poolId, jobId, tenantId, spec, fundedAtto } = data;
        const funded = fundedAtto === undefined ? {} : { fundedAtto };
        return [
          {
            to: toPool(poolId),
            type: 'QueueTasks',
            data: { poolId, jobId, tenantId, spec, queuedAt: recordedAt, ...funded },
          },
        ];
      }
      case 'JobScaled': {
        const { poolId, jobId, replicasMin, replicasMax } = data;
        const scale = { poolId, jobId, replicasMin, replicasMax, at: recordedAt };
        return [{ to: toPool(poolId), type: 'ScaleService', data: scale }];
      }
      case 'JobSucceeded':
        return [
          { to: toPool(poolId), type: 'CloseJob', data: { poolId, jobId: data.jobId, at: recordedAt } },
        ];
      case 'JobFailed':
      case 'JobCancelled': {
        const { poolId, jobId } = data;
        return [{ to: toPool(poolId), type: 'CloseJob', data: { poolId, jobId, at: recordedAt } }];
      }
      case 'JobSubmitted':
      case 'JobShortOfFunds':
      case 'JobFundedAgain':
      case 'TaskSucceeded':
      case 'RequestsCounted':
        return [];
    }
  },
});

const toPool = (id: string) => ({ type: 'scheduling.pool', id }) as const;
