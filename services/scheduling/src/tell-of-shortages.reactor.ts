import type { Reactor } from '@astro/event-sourcing/reactor';
import type { JobCommand, PoolEvent } from '@astro/messages/scheduling';

/** A job records that it is short of money, and until when it waits, because its client hears of it there. */
export const tellOfShortages: Reactor<PoolEvent, JobCommand> = {
  name: 'scheduling.tell-of-shortages',
  reads: ['scheduling.pool'],

  react({ event: { type, data } }) {
    switch (type) {
      case 'FundsRunOut': {
        // Whether a budget is why, the job says when it fails.
        const { poolId: _poolId, budgetId: _budgetId, ...shortage } = data;
        return [{ to: toJob(data.jobId), type: 'NoteShortage', data: shortage }];
      }
      case 'FundsAdded': {
        const { jobId, number, endsShortage } = data;
        return endsShortage ? [{ to: toJob(jobId), type: 'EndShortage', data: { jobId, number } }] : [];
      }
      default:
        // What else happens in the pool, a job hears of elsewhere.
        return [];
    }
  },
};

const toJob = (id: string) => ({ type: 'scheduling.job', id }) as const;
