import { findUsage } from '@astro/read-models/billing/usage';
import { findJob, type Job } from '@astro/read-models/scheduling/jobs';
import { startedLeases } from '@astro/read-models/scheduling/leases';
import { tasksOf, type Task } from '@astro/read-models/scheduling/tasks';
import type { Funding } from '@astro/messages/scheduling';
import type { StoredJson } from '@astro/postgres/stored-json';
import type { EntityManager } from '@mikro-orm/postgresql';
import type { z } from 'zod';
import type { jobSummary, JobResource } from './jobs.schema.js';
import { encryptionRequest } from './encryption.schema.js';
import { toProgramResource } from './program.schema.js';
import { toRequirementsResource } from './requirements.schema.js';
import { toServiceResource } from './service.schema.js';
import { verificationRequest } from './verification.schema.js';

/** The tenant's job as the API shows it, with all that is known of it by now. */
export async function findJobResource(
  em: EntityManager,
  tenantId: string,
  jobId: string,
): Promise<JobResource | undefined> {
  const job = await findJob(em, tenantId, jobId);
  if (!job) return undefined;
  const tasks = await tasksOf(em, jobId);
  const { array, maxParallel, service } = job.spec;
  const usage = await findUsage(em, tenantId, jobId);
  return {
    ...toSummary(job),
    quorum: job.spec.quorum,
    ...(job.spec.verification && { verification: verificationRequest.parse(job.spec.verification) }),
    // Recorded before there were classes: on demand.
    leaseClass: job.spec.leaseClass === 'unspecified' ? 'on_demand' : job.spec.leaseClass,
    ...(job.spec.bookingId !== undefined && { reservationId: job.spec.bookingId }),
    program: toProgramResource(job.spec.program),
    requirements: toRequirementsResource(job.spec.requirements),
    chargedAtto: (usage?.chargedAtto ?? 0n).toString(),
    ...(job.spec.checkpoints && { checkpoints: job.spec.checkpoints }),
    ...(job.spec.encryption && { encryption: encryptionRequest.parse(job.spec.encryption) }),
    ...(job.spec.funding && { funding: fundingOf(job, job.spec.funding) }),
    ...(service && { service: toServiceResource(service, job, await startedLeases(em, jobId)) }),
    ...(array && {
      array: {
        count: array.count,
        maxParallel,
        inputs: array.inputs.map(({ name }) => name),
        args: [...array.args],
      },
    }),
    tasks: tasks.map(taskOf),
  };
}

/**
 * Whether the job has ended and its tasks, which another projection has, are not shown as they ended yet: no task
 * outlives its job.
 */
export const isAheadOfItsTasks = ({ status, tasks }: Pick<JobResource, 'status' | 'tasks'>): boolean =>
  !['submitted', 'queued', 'running'].includes(status) &&
  tasks.some(task => task.status === 'waiting' || task.status === 'running');

const taskOf = ({ taskId, status, outputs, digest, checkpoint, checkpointedAt }: Task) => ({
  id: taskId,
  status,
  outputs: [...outputs],
  ...(digest && { digest }),
  ...(checkpoint && checkpointedAt && { checkpoint: { ...checkpoint, at: checkpointedAt.toISOString() } }),
});

const fundingOf = (
  { missingAtto, shortSince, stopsAt }: Job,
  funding: StoredJson<Funding>,
): NonNullable<JobResource['funding']> => ({
  mode: funding.mode === 'stepwise' ? 'stepwise' : 'whole',
  onShortage: funding.onShortage === 'pause' ? 'pause' : 'notice_then_stop',
  noticeMs: funding.noticeMs,
  ...(shortSince && {
    shortage: {
      missingAtto: `${missingAtto ?? 0n}`,
      since: shortSince.toISOString(),
      ...(stopsAt && { stopsAt: stopsAt.toISOString() }),
    },
  }),
});

export const toSummary = (job: Job): z.infer<typeof jobSummary> => ({
  id: job.jobId,
  name: job.name,
  ...(job.project && { project: job.project }),
  status: job.status,
  ...(job.reason && { reason: job.reason }),
  ...(job.detail && { detail: job.detail }),
  maxCostAtto: job.maxCostAtto.toString(),
  taskCount: job.taskCount,
  tasksSucceeded: job.tasksSucceeded,
  submittedAt: job.createdAt.toISOString(),
  ...(job.endedAt && { endedAt: job.endedAt.toISOString() }),
});
