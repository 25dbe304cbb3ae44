import type { Projection } from '@astro/event-sourcing/projection';
import type { Recorded } from '@astro/event-sourcing/recorded';
import type { JobEvent, JobFailure, JobSpec, JobSubmitted, PoolEvent } from '@astro/messages/scheduling';
import { Atto } from '@astro/postgres/atto';
import { storedJson, type StoredJson } from '@astro/postgres/stored-json';
import { defineEntity, type EntityManager, type InferEntity } from '@mikro-orm/postgresql';
import { folding } from '../fold.js';
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
    project: p.text().nullable(),
    status: p.text().$type<JobStatus>(),
    /** Why it failed. */
    reason: p.text().$type<JobFailure>().nullable(),
    detail: p.text().nullable(),
    maxCostAtto: p.type(Atto),
    taskCount: p.integer(),
    tasksSucceeded: p.integer(),
    /** Of a service that is in the pool: how many replicas its load asks for. */
    replicasWanted: p.integer().nullable(),
    /** While it is short of money: how much it lacks, since when, and when it stops where it does. */
    missingAtto: p.type(Atto).nullable(),
    shortSince: p.datetime().nullable(),
    stopsAt: p.datetime().nullable(),
    /** Of a server, as gateways have counted them. */
    requests: p.bigint('number'),
    requestsUnanswered: p.bigint('number'),
    requestBytes: p.bigint('number'),
    answerBytes: p.bigint('number'),
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
  version: 4,
  tables: ['jobs'],
  reads: ['scheduling.job', 'scheduling.pool'],
  ...folding<JobEvent | PoolEvent, Job>(Job, {
    keysOf({ type, data }) {
      switch (type) {
        case 'JobSubmitted':
        case 'JobQueued':
        case 'JobScaled':
        case 'JobShortOfFunds':
        case 'JobFundedAgain':
        case 'LeaseStarted':
        case 'ServiceScaled':
        case 'RequestsCounted':
        case 'TaskSucceeded':
        case 'JobSucceeded':
        case 'JobFailed':
        case 'JobCancelled':
          return [data.jobId];
      }
      return [];
    },
    evolve(job, recorded) {
      const { event, position } = recorded;
      if (event.type === 'JobSubmitted') return job ?? submitted(event.data, recorded);
      if (job === undefined || job.position >= position) return job;
      const changes = changesTo(job, recorded);
      return changes === undefined ? job : { ...job, ...changes, position };
    },
  }),
};

const enoughMoney = { missingAtto: null, shortSince: null, stopsAt: null } as const;

type Place = Pick<Recorded, 'recordedAt' | 'position'>;

const submitted = (data: JobSubmitted, { recordedAt, position }: Place): Job => ({
  jobId: data.jobId,
  tenantId: data.tenantId,
  poolId: data.poolId,
  name: data.spec.name,
  project: data.spec.project ?? null,
  status: 'submitted',
  reason: null,
  detail: null,
  maxCostAtto: data.maxCostAtto,
  taskCount: data.spec.tasks.length,
  tasksSucceeded: 0,
  replicasWanted: data.spec.service?.replicasMin ?? null,
  ...enoughMoney,
  requests: 0,
  requestsUnanswered: 0,
  requestBytes: 0,
  answerBytes: 0,
  createdAt: recordedAt,
  endedAt: null,
  spec: storedJson(data.spec),
  position,
});

/** Undefined when the event leaves the job as it is. */
function changesTo(
  job: Job,
  { event: { type, data }, recordedAt }: Recorded<JobEvent | PoolEvent>,
): Partial<Job> | undefined {
  const end = { ...enoughMoney, endedAt: recordedAt };
  switch (type) {
    case 'JobQueued':
      return { status: 'queued' };
    case 'JobScaled': {
      const { replicasMin, replicasMax } = data;
      const { service } = job.spec;
      return service && { spec: { ...job.spec, service: { ...service, replicasMin, replicasMax } } };
    }
    case 'ServiceScaled':
      return { replicasWanted: data.replicas };
    case 'LeaseStarted':
      return job.status === 'queued' ? { status: 'running' } : undefined;
    case 'TaskSucceeded':
      return { tasksSucceeded: job.tasksSucceeded + 1 };
    case 'JobShortOfFunds':
      return { missingAtto: data.missingAtto, shortSince: recordedAt, stopsAt: data.stopsAt ?? null };
    case 'JobFundedAgain':
      return enoughMoney;
    case 'RequestsCounted': {
      const { unanswered: requestsUnanswered, ...counted } = data.total;
      return { ...counted, requestsUnanswered };
    }
    case 'JobSucceeded':
      return { status: 'succeeded', tasksSucceeded: data.tasksSucceeded, ...end };
    case 'JobFailed': {
      const { tasksSucceeded, reason, detail } = data;
      return { status: 'failed', tasksSucceeded, reason, detail, ...end };
    }
    case 'JobCancelled':
      return { status: 'cancelled', tasksSucceeded: data.tasksSucceeded, ...end };
  }
  return undefined;
}

/** The tenant's job; another tenant's is as good as none. */
export const findJob = (em: EntityManager, tenantId: string, jobId: string) =>
  em.findOne(Job, { jobId, tenantId });

/** What these jobs are called, by their ids. */
export async function namesOfJobs(
  em: EntityManager,
  jobIds: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const rows = await em.find(Job, { jobId: { $in: [...jobIds] } }, { fields: ['jobId', 'name'] });
  return new Map(rows.map(({ jobId, name }) => [jobId, name]));
}

export type JobQuery = PageQuery & {
  readonly status?: JobStatus | undefined;
  readonly project?: string | undefined;
};

/** The tenant's jobs, newest first. @throws InvalidCursor */
export async function pageOfJobs(em: EntityManager, tenantId: string, query: JobQuery): Promise<Page<Job>> {
  const { cursor, limit, status, project } = query;
  const rows = await em.find(
    Job,
    {
      tenantId,
      ...(status === undefined ? {} : { status }),
      ...(project === undefined ? {} : { project }),
      ...(cursor === undefined ? {} : olderThan(timeAndIdIn(cursor))),
    },
    { orderBy: { createdAt: 'desc', jobId: 'desc' }, limit: rowsFor(limit) },
  );
  return pageOf(rows, limit, job => [job.createdAt.toISOString(), job.jobId]);
}

const olderThan = ([createdAt, jobId]: readonly [Date, string]) => ({
  $or: [{ createdAt: { $lt: createdAt } }, { createdAt, jobId: { $lt: jobId } }],
});
