import type { Projection } from '@astro/event-sourcing/projection';
import type { Checkpoint, JobEvent, JobSubmitted, Output, PoolEvent } from '@astro/messages/scheduling';
import { defineEntity, type EntityManager, type InferEntity } from '@mikro-orm/postgresql';
import type { Recorded } from '@astro/event-sourcing/recorded';
import { folding } from '../fold.js';

export type TaskStatus = 'waiting' | 'running' | 'succeeded' | 'failed' | 'cancelled';

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
    /** Of the agreed result; of a service, of the last run that was reported. */
    digest: p.text().nullable(),
    /** The last that one of its leases has made. */
    checkpoint: p.json<Checkpoint>().nullable(),
    checkpointedAt: p.datetime().nullable(),
  }),
});
export type Task = InferEntity<typeof Task>;

export const tasks: Projection<JobEvent | PoolEvent, EntityManager> = {
  name: 'scheduling.tasks',
  version: 4,
  tables: ['tasks'],
  reads: ['scheduling.job', 'scheduling.pool'],
  ...folding<JobEvent | PoolEvent, Task>(Task, {
    keysOf({ type, data }) {
      switch (type) {
        case 'JobSubmitted':
          return data.spec.tasks.map(({ taskId }) => taskId);
        case 'LeaseStarted':
        case 'LeaseCheckpointed':
        case 'LeaseRenewed':
        case 'TaskSucceeded':
          return [data.taskId];
      }
      return [];
    },
    evolve(task, { event: { type, data } }, _taskId, index) {
      switch (type) {
        case 'JobSubmitted':
          return task ?? waiting(data, index);
        case 'LeaseStarted':
          return task?.status === 'waiting' ? { ...task, status: 'running' } : task;
        case 'LeaseCheckpointed':
          return task && { ...task, checkpoint: data.checkpoint, checkpointedAt: data.checkpointedAt };
        case 'LeaseRenewed': {
          // Until a replica has ended its first run it has nothing to show.
          const { outputs, digest } = data.work;
          return task && digest !== '' ? { ...task, outputs, digest } : task;
        }
        case 'TaskSucceeded':
          return task && { ...task, status: 'succeeded', outputs: data.outputs, digest: data.digest };
      }
      return task;
    },
    // They name the job only.
    sweep: { types: ['JobFailed', 'JobCancelled'], apply: endTasksOfJob },
  }),
};

/** What had not succeeded by then never will: an ended task stays as it is whatever comes after. */
async function endTasksOfJob(em: EntityManager, { event: { type, data } }: Recorded<JobEvent | PoolEvent>) {
  if (type !== 'JobFailed' && type !== 'JobCancelled') return;
  const status = type === 'JobFailed' ? 'failed' : 'cancelled';
  await em.nativeUpdate(Task, { jobId: data.jobId, status: { $in: [...open] } }, { status });
}

const open: readonly TaskStatus[] = ['waiting', 'running'];

const waiting = ({ jobId, spec }: JobSubmitted, index: number): Task => ({
  taskId: spec.tasks[index]!.taskId,
  jobId,
  index,
  status: 'waiting',
  outputs: [],
  digest: null,
  checkpoint: null,
  checkpointedAt: null,
});

export const tasksOf = (em: EntityManager, jobId: string) =>
  em.find(Task, { jobId }, { orderBy: { index: 'asc' } });

export const findTask = (em: EntityManager, jobId: string, taskId: string) =>
  em.findOne(Task, { taskId, jobId });
