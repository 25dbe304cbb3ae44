import type { Projection } from '@astro/event-sourcing/projection';
import type { JobEvent, Output, PoolEvent } from '@astro/messages/scheduling';
import { defineEntity, type EntityManager, type InferEntity } from '@mikro-orm/postgresql';

export type TaskStatus = 'waiting' | 'running' | 'succeeded';

/** The tasks of every job, in the order in which the job names them. */
export const Task = defineEntity({
  name: 'Task',
  schema: 'scheduling',
  tableName: 'tasks',
  indexes: [{ properties: ['jobId', 'index'] }],
  properties: p => ({
    taskId: p.text().primary(),
    jobId: p.text(),
    index: p.integer(),
    status: p.text().$type<TaskStatus>(),
    outputs: p.json<readonly Output[]>(),
    /** Of the agreed result. */
    digest: p.text().nullable(),
  }),
});
export type Task = InferEntity<typeof Task>;

/** A job has at most 1,000 tasks; an insert of all of them would exceed no limit, but hold a large statement. */
const rowsPerInsert = 250;

export const tasks: Projection<JobEvent | PoolEvent, EntityManager> = {
  name: 'scheduling.tasks',
  reads: ['scheduling.job', 'scheduling.pool'],
  async apply(em, { event: { type, data } }) {
    switch (type) {
      case 'JobSubmitted': {
        const { jobId, spec } = data;
        const rows = spec.tasks.map(({ taskId }, index) => ({
          taskId,
          jobId,
          index,
          status: 'waiting' as const,
          outputs: [],
        }));
        return em.upsertMany(Task, rows, { onConflictAction: 'ignore', batchSize: rowsPerInsert });
      }
      case 'LeaseStarted':
        return em.nativeUpdate(Task, { taskId: data.taskId, status: 'waiting' }, { status: 'running' });
      case 'TaskSucceeded': {
        const { taskId, outputs, digest } = data;
        return em.nativeUpdate(Task, { taskId }, { status: 'succeeded', outputs, digest });
      }
    }
  },
};

export const tasksOf = (em: EntityManager, jobId: string) =>
  em.find(Task, { jobId }, { orderBy: { index: 'asc' } });
