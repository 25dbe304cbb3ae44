import type { EventStore } from '@astro/jetstream/event-store';
import { runtimeOf } from '@astro/messages/runtimes';
import type { JobEvent, JobSpec } from '@astro/messages/scheduling';
import type { PrepareAudit, ResultVerified, TaskEvent } from '@astro/messages/verification';

/** What is on record of an accepted result. */
export type Audited = Pick<PrepareAudit, 'jobId' | 'claimedDigest' | 'claimants' | 'work'>;

/** Undefined where no result was accepted, or where not everybody who runs the program again gets the same. */
export async function findAudited(store: EventStore, taskId: string): Promise<Audited | undefined> {
  const judged = await store.load({ type: 'verification.task', id: taskId });
  const verified = judged
    .map(({ event }) => event as TaskEvent)
    .find(event => event.type === 'ResultVerified');
  if (!verified) return undefined;
  // A job begins with its submission.
  const { events } = await store.loadSome({ type: 'scheduling.job', id: verified.data.jobId }, 0, 1);
  const submitted = events[0]?.event as JobEvent | undefined;
  return submitted?.type === 'JobSubmitted' ? auditedIn(verified.data, submitted.data.spec) : undefined;
}

/** The same of what was believed and what was asked for. */
export function auditedIn(verified: ResultVerified, spec: JobSpec): Audited | undefined {
  const { jobId, taskId, fault, digest: claimedDigest, agreed } = verified;
  const { program, tasks, encryption } = spec;
  const task = tasks.find(other => other.taskId === taskId);
  // What is encrypted is read by the nodes that the job names and by nobody else.
  if (!task || fault !== 'none' || encryption || runtimeOf(program) !== 'wasm') return undefined;
  const claimants = agreed.map(({ nodeId, operatorId, leaseId }) => ({ nodeId, operatorId, leaseId }));
  return { jobId, claimedDigest, claimants, work: { program, inputs: task.inputs, args: task.args } };
}
