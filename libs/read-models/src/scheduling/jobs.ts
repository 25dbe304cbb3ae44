import type { Projection } from '@astro/event-sourcing/projection';
import type { JobEvent, JobFailure, JobSpec, PoolEvent } from '@astro/messages/scheduling';
import { Atto } from '@astro/postgres/atto';
import { storedJson, type StoredJson } from '@astro/postgres/stored-json';
import {
  defineEntity,
  raw,
  type EntityData,
  type EntityManager,
  type InferEntity,
} from '@mikro-orm/postgresql';
import { pageOf, rowsFor, timeAndIdIn, type Page, type PageQuery } from '../page.js';

export type JobStatus = 'submitted' | 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';

/** Every job with its state. The gateway shows it to the tenant. */
export const Job = defineEntity({
  name: 'Job',
  schema: 'scheduling',
  tableName: 'jobs',
  indexes: [{ properties: ['tenantId', 'createdAt', 'jobId'] }],
  properties: p => ({
    jobId: p.text().primary(),
    tenantId: p.text(),
    poolId: p.text(),
    name: p.text(),
    status: p.text().$type<JobStatus>(),
    /** Why it failed. */
    reason: p.text().$type<JobFailure>().nullable(),
    detail: p.text().nullable(),
    maxCostAtto: p.type(Atto),
    taskCount: p.integer(),
    tasksSucceeded: p.integer(),
    createdAt: p.datetime(),
    endedAt: p.datetime().nullable(),
    spec: p.json<StoredJson<JobSpec>>(),
    /** Of the last event that changed the row: an older one, repeated, does not change it again. */
    position: p.bigint('number'),
  }),
});
export type Job = InferEntity<typeof Job>;

export const jobs: Projection<JobEvent | PoolEvent, EntityManager> = {
  name: 'scheduling.jobs',
  reads: ['scheduling.job', 'scheduling.pool'],
  async apply(em, { event: { type, data }, recordedAt, position }) {
    const change = (jobId: string, changes: EntityData<Job>, where: { status?: JobStatus } = {}) =>
      em.nativeUpdate(Job, { jobId, position: { $lt: position }, ...where }, { ...changes, position });
    switch (type) {
      case 'JobSubmitted':
        return em.upsert(
          Job,
          {
            jobId: data.jobId,
            tenantId: data.tenantId,
            poolId: data.poolId,
            name: data.spec.name,
            status: 'submitted',
            maxCostAtto: data.maxCostAtto,
            taskCount: data.spec.tasks.length,
            tasksSucceeded: 0,
            createdAt: recordedAt,
            spec: storedJson(data.spec),
            position,
          },
          { onConflictAction: 'ignore' },
        );
      case 'JobQueued':
        return change(data.jobId, { status: 'queued' });
      case 'LeaseStarted':
        return change(data.jobId, { status: 'running' }, { status: 'queued' });
      case 'TaskSucceeded':
        return change(data.jobId, { tasksSucceeded: raw('"tasks_succeeded" + 1') });
      case 'JobSucceeded':
        return change(data.jobId, { ...ended('succeeded', data), endedAt: recordedAt });
      case 'JobFailed': {
        const { reason, detail } = data;
        return change(data.jobId, { ...ended('failed', data), reason, detail, endedAt: recordedAt });
      }
      case 'JobCancelled':
        return change(data.jobId, { ...ended('cancelled', data), endedAt: recordedAt });
    }
  },
};

const ended = (status: JobStatus, { tasksSucceeded }: { tasksSucceeded: number }) => ({
  status,
  tasksSucceeded,
});

/** The tenant's job; another tenant's is as good as none. */
export const findJob = (em: EntityManager, tenantId: string, jobId: string) =>
  em.findOne(Job, { jobId, tenantId });

export type JobQuery = PageQuery & { readonly status?: JobStatus | undefined };

/** The tenant's jobs, newest first. @throws InvalidCursor */
export async function pageOfJobs(em: EntityManager, tenantId: string, query: JobQuery): Promise<Page<Job>> {
  const { cursor, limit, status } = query;
  const rows = await em.find(
    Job,
    {
      tenantId,
      ...(status === undefined ? {} : { status }),
      ...(cursor === undefined ? {} : olderThan(timeAndIdIn(cursor))),
    },
    { orderBy: { createdAt: 'desc', jobId: 'desc' }, limit: rowsFor(limit) },
  );
  return pageOf(rows, limit, job => [job.createdAt.toISOString(), job.jobId]);
}

const olderThan = ([createdAt, jobId]: readonly [Date, string]) => ({
  $or: [{ createdAt: { $lt: createdAt } }, { createdAt, jobId: { $lt: jobId } }],
});
