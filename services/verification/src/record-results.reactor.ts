import type { Reactor } from '@astro/event-sourcing/reactor';
import type { PoolEvent } from '@astro/messages/scheduling';
import type { TaskCommand } from '@astro/messages/verification';

/**
 * Every lease that ran to its end, with a result or a fault, is one vote on its task. Where a policy draws, the vote
 * brings the seed: made when the result was in, and recorded with what follows from it.
 * @param seedFor of an event, that nobody outside of the service can foresee
 */
export const recordResults = (seedFor: (eventId: string) => string): Reactor<PoolEvent, TaskCommand> => ({
  name: 'verification.record-results',
  reads: ['scheduling.pool'],
  // All results are events of one pool, and a vote on one task has nothing to wait for from another.
  isUnordered: true,

  react({ id, event: { type, data } }) {
    if (type !== 'LeaseCompleted') return [];
    const { poolId, jobId, taskId, quorum, result, verification, spread } = data;
    const to = { type: 'verification.task', id: taskId } as const;
    const vote = { poolId, jobId, taskId, quorum, result };
    const drawn = verification && verification.policy !== 'quorum' ? { verification, seed: seedFor(id) } : {};
    return [{ to, type: 'RecordResult', data: { ...vote, ...drawn, ...(spread && { spread }) } }];
  },
});
