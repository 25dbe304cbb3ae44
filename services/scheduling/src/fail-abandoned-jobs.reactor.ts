import type { Reactor } from '@astro/event-sourcing/reactor';
import type { JobCommand, PoolEvent } from '@astro/messages/scheduling';

/** What the pool gives up has failed, with the pool's reason. */
export const failAbandonedJobs: Reactor<PoolEvent, JobCommand> = {
  name: 'scheduling.fail-abandoned-jobs',
  reads: ['scheduling.pool'],

  react({ event: { type, data } }) {
    if (type !== 'JobAbandoned') return [];
    const { jobId, reason, detail } = data;
    return [{ to: { type: 'scheduling.job', id: jobId }, type: 'FailJob', data: { jobId, reason, detail } }];
  },
};
