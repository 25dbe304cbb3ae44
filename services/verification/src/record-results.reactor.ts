import type { Reactor } from '@astro/event-sourcing/reactor';
import type { PoolEvent } from '@astro/messages/scheduling';
import type { TaskCommand } from '@astro/messages/verification';

/** Every lease that ran to its end, with a result or a fault, is one vote on its task. */
export const recordResults: Reactor<PoolEvent, TaskCommand> = {
  name: 'verification.record-results',
  reads: ['scheduling.pool'],

  react({ event: { type, data } }) {
    if (type !== 'LeaseCompleted') return [];
    const { poolId, jobId, taskId, quorum, result } = data;
    const to = { type: 'verification.task', id: taskId } as const;
    return [{ to, type: 'RecordResult', data: { poolId, jobId, taskId, quorum, result } }];
  },
};
