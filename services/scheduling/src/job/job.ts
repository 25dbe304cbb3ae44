import { isDeepStrictEqual } from 'node:util';
import { accept, reject, type Decider, type Decision } from '@astro/event-sourcing/decider';
import { structured } from '@astro/event-sourcing/snapshot-format';
import { maxCostAtto } from '@astro/matching/cost';
import type {
  CompleteTask,
  JobCommand,
  JobEvent,
  JobSpec,
  QueueJob,
  RequestCount,
  ScaleJob,
  SubmitJob,
} from '@astro/messages/scheduling';
import { flawOfFirstReservation } from './funding-limits.js';
import { flawOf, isToken } from './job-limits.js';
import { countRequests } from './request-count.js';
import { endShortage, noteShortage, type Shortage } from './shortage.js';

export type JobRejection =
  | 'JobExists'
  | 'JobIsInvalid'
  | 'MaxCostIsTooLow'
  | 'JobNotFound'
  | 'TaskNotFound'
  | 'JobIsNotQueued'
  | 'JobIsNoService'
  | 'JobIsNoServer'
  | 'JobHasEnded';

type Status = 'submitted' | 'queued' | 'succeeded' | 'failed' | 'cancelled';

/** Every state after the first keeps what was submitted, so that a repeated submission is known as such. */
export type Job =
  | { readonly status: 'absent' }
  | {
      readonly status: Status;
      readonly submitted: SubmitJob;
      /** Ids of the tasks whose results are verified. */
      readonly succeeded: ReadonlySet<string>;
      /** Of a service whose bounds were changed: what holds now. */
      readonly bounds?: Bounds;
      /** The last that it was told of. */
      readonly shortage?: Shortage;
      /** Of a server: what was counted of its requests. */
      readonly requests?: RequestCount;
    };
type Bounds = { readonly replicasMin: number; readonly replicasMax: number };
type SubmittedJob = Exclude<Job, { status: 'absent' }>;
type JobDecision = Decision<JobEvent, JobRejection>;

/** The life of a job: money reserved, queued, its tasks completed, and exactly one end. */
export const job: Decider<Job, JobCommand, JobEvent, JobRejection> = {
  initialState: { status: 'absent' },

  decide(command, job) {
    if (command.type === 'SubmitJob') return submit(command.data, job);
    if (job.status === 'absent') return reject('JobNotFound');
    const { jobId, tenantId, poolId } = job.submitted;
    const spec = specOf(job);
    const settled = spec.service && job.status === 'queued' ? { isSettledByPool: true } : {};
    const tasksSucceeded = job.succeeded.size;
    switch (command.type) {
      case 'QueueJob':
        if (job.status === 'queued') return accept();
        if (job.status !== 'submitted') return reject('JobHasEnded');
        return queue(command.data, job);
      case 'CompleteTask':
        return completeTask(command.data, job);
      case 'FailJob': {
        // Several tasks may fail a job at once: the first reason stands, the others have nothing to add.
        if (job.status === 'failed') return accept();
        if (job.status === 'succeeded' || job.status === 'cancelled') return reject('JobHasEnded');
        const { reason, detail } = command.data;
        return accept({
          type: 'JobFailed',
          data: { jobId, tenantId, poolId, reason, detail, tasksSucceeded, ...settled },
        });
      }
      case 'ScaleJob':
        return scaleJob(command.data, job);
      case 'NoteShortage':
        return hasEnded(job) ? accept() : noteShortage(command.data, job.submitted, job.shortage);
      case 'EndShortage':
        return hasEnded(job) ? accept() : endShortage(command.data, job.submitted, job.shortage);
      case 'CountRequests':
        return countRequests(command.data, job.submitted, job.requests);
      case 'CancelJob':
        // A tenant must not learn which jobs of others exist.
        if (command.data.tenantId !== tenantId) return reject('JobNotFound');
        if (job.status === 'cancelled') return accept();
        if (job.status === 'succeeded' || job.status === 'failed') return reject('JobHasEnded');
        return accept({
          type: 'JobCancelled',
          data: { jobId, tenantId, poolId, tasksSucceeded, ...settled },
        });
    }
  },

  evolve(job, event) {
    if (event.type === 'JobSubmitted')
      return { status: 'submitted', submitted: event.data, succeeded: new Set() };
    if (job.status === 'absent') throw new Error(`${event.type} of a job that was never submitted`);
    switch (event.type) {
      case 'JobQueued':
        return { ...job, status: 'queued' };
      case 'JobScaled': {
        const { replicasMin, replicasMax } = event.data;
        return { ...job, bounds: { replicasMin, replicasMax } };
      }
      case 'TaskSucceeded':
        return { ...job, succeeded: new Set(job.succeeded).add(event.data.taskId) };
      case 'JobShortOfFunds':
      case 'JobFundedAgain':
        return {
          ...job,
          shortage: { number: event.data.number, isOver: event.type === 'JobFundedAgain' },
        };
      case 'RequestsCounted':
        return { ...job, requests: event.data.total };
      case 'JobSucceeded':
        return { ...job, status: 'succeeded' };
      case 'JobFailed':
        return { ...job, status: 'failed' };
      case 'JobCancelled':
        return { ...job, status: 'cancelled' };
    }
  },

  snapshot: structured(6),
};

function submit(data: SubmitJob, job: Job): JobDecision {
  if (job.status !== 'absent') return isRepeated(data, job.submitted) ? accept() : reject('JobExists');
  for (const field of ['jobId', 'tenantId', 'poolId'] as const)
    if (!isToken(data[field])) return reject('JobIsInvalid', `${field}: must be an id`);
  if (data.apiKeyId !== undefined && !isToken(data.apiKeyId))
    return reject('JobIsInvalid', 'apiKeyId: must be an id');
  const flaw = flawOf(data.spec);
  if (flaw) return reject('JobIsInvalid', flaw);
  const needed = maxCostAtto(data.spec);
  if (data.maxCostAtto < needed) return reject('MaxCostIsTooLow', `maxCostAtto: at least ${needed}`);
  const flawOfFirst = flawOfFirstReservation(data);
  if (flawOfFirst) return reject('JobIsInvalid', flawOfFirst);
  return accept({ type: 'JobSubmitted', data });
}

/**
 * With whichever of the tenant's keys it is repeated: the first one stands. What is reserved at first follows from the
 * prices of the moment, so that another time it may be another.
 */
function isRepeated(data: SubmitJob, submitted: SubmitJob): boolean {
  const { apiKeyId: _key, firstReservationAtto: _now, ...repeated } = data;
  const { apiKeyId: _firstKey, firstReservationAtto: _then, ...first } = submitted;
  return isDeepStrictEqual(repeated, first);
}

/** A job that is funded stepwise begins with what was set aside at first. */
function queue({ reservedAtto }: QueueJob, job: SubmittedJob): JobDecision {
  const { jobId, tenantId, poolId } = job.submitted;
  const spec = specOf(job);
  const funded = spec.funding?.mode === 'stepwise' && reservedAtto !== undefined;
  const data = { jobId, tenantId, poolId, spec, ...(funded && { fundedAtto: reservedAtto }) };
  return accept({ type: 'JobQueued', data });
}

const hasEnded = ({ status }: SubmittedJob): boolean => status !== 'submitted' && status !== 'queued';

/** What was submitted, with the bounds that hold now. */
const specOf = ({ submitted: { spec }, bounds }: SubmittedJob): JobSpec =>
  spec.service && bounds ? { ...spec, service: { ...spec.service, ...bounds } } : spec;

function scaleJob({ tenantId, replicasMin, replicasMax }: ScaleJob, job: SubmittedJob): JobDecision {
  const { jobId, poolId, tenantId: owner } = job.submitted;
  if (tenantId !== owner) return reject('JobNotFound');
  if (job.status !== 'submitted' && job.status !== 'queued') return reject('JobHasEnded');
  const spec = specOf(job);
  if (!spec.service) return reject('JobIsNoService');
  if (spec.service.replicasMin === replicasMin && spec.service.replicasMax === replicasMax) return accept();
  const bounds = { replicasMin, replicasMax };
  const flaw = flawOf({ ...spec, service: { ...spec.service, ...bounds } });
  if (flaw) return reject('JobIsInvalid', flaw.replace(/^spec\.service\./, ''));
  return accept({ type: 'JobScaled', data: { jobId, tenantId, poolId, ...bounds } });
}

/** The last task's completion and the job's own are one decision, so that no crash can part them. */
function completeTask({ taskId, outputs, digest, work }: CompleteTask, job: SubmittedJob): JobDecision {
  const { jobId, tenantId, spec } = job.submitted;
  if (!spec.tasks.some(task => task.taskId === taskId)) return reject('TaskNotFound');
  if (job.succeeded.has(taskId)) return accept();
  if (job.status === 'submitted') return reject('JobIsNotQueued');
  if (job.status !== 'queued') return reject('JobHasEnded');
  const data = { jobId, tenantId, taskId, outputs, digest, work };
  const tasksSucceeded = job.succeeded.size + 1;
  const isLast = tasksSucceeded === spec.tasks.length;
  return isLast
    ? accept<JobEvent>(
        { type: 'TaskSucceeded', data },
        { type: 'JobSucceeded', data: { jobId, tenantId, tasksSucceeded } },
      )
    : accept({ type: 'TaskSucceeded', data });
}
