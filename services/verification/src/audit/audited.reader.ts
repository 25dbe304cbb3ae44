import type { EventStore } from '@astro/jetstream/event-store';
import { runtimeOf } from '@astro/messages/runtimes';
import type { JobEvent } from '@astro/messages/scheduling';
import type { PrepareAudit, TaskEvent } from '@astro/messages/verification';

/** What is on record of an accepted result. */
export type Audited = Pick<PrepareAudit, 'jobId' | 'claimedDigest' | 'claimants' | 'work'>;

/** Undefined where no result was accepted, or where not everybody who runs the program again gets the same. */
export async function findAudited(store: EventStore, taskId: string): Promise<Audited | undefined> {
  const judged = await store.load({ type: 'verification.task', id: taskId });
  const verified = judged
    .map(({ event }) => event as TaskEvent)
    .find(event => event.type === 'ResultVerified');
  if (!verified || verified.data.fault !== 'none') return undefined;
  const { jobId, digest: claimedDigest, agreed } = verified.data;
  // A job begins with its submission.
  const { events } = await store.loadSome({ type: 'scheduling.job', id: jobId }, 0, 1);
  const submitted = events[0]?.event as JobEvent | undefined;
  if (submitted?.type !== 'JobSubmitted') return undefined;
  const { program, tasks } = submitted.data.spec;
  const task = tasks.find(spec => spec.taskId === taskId);
  if (!task || runtimeOf(program) !== 'wasm') return undefined;
  const claimants = agreed.map(({ nodeId, operatorId, leaseId }) => ({ nodeId, operatorId, leaseId }));
  return { jobId, claimedDigest, claimants, work: { program, inputs: task.inputs, args: task.args } };
}
