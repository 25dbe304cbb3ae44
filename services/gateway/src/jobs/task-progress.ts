import type { StoredProgress, TaskProgress } from '@astro/jetstream/task-progress';
import type { TaskProgressed } from '@astro/messages/agent';
import { decode } from '@astro/messages/codec';
import type { z } from 'zod';
import { toJson } from '../http/json.js';
import type { JobResource } from './jobs.schema.js';
import type { taskProgress } from './task-progress.schema.js';

const WHOLE_PPM = 1_000_000;

/** The job as it is, with how far its running tasks say that they are. */
export async function withProgress(progress: TaskProgress, job: JobResource): Promise<JobResource> {
  if (!job.tasks.some(({ status }) => status === 'running')) return job;
  // Stored in order, so that of several runs of a task the last that spoke is the last here.
  const last = new Map((await progress.ofJob(job.id)).map(stored => [stored.taskId, stored]));
  const tasks = job.tasks.map(task => {
    const stored = task.status === 'running' ? last.get(task.id) : undefined;
    return stored ? { ...task, progress: toResource(stored) } : task;
  });
  return { ...job, tasks };
}

function toResource({ leaseId, storedAt, payload }: StoredProgress): z.infer<typeof taskProgress> {
  const { donePpm, message } = decode('astro.agent.v1.TaskProgressed', payload) as TaskProgressed;
  return {
    fraction: Math.min(donePpm / WHOLE_PPM, 1),
    ...(message !== '' && { message }),
    at: storedAt.toISOString(),
    leaseId,
  };
}

/**
 * How far the tasks of a job are, for a stream of server-sent events: of each task the latest that was not yet taken,
 * so that a slow reader is told less and not later. It has no position, since nothing has to be told again.
 */
export class ProgressFeed {
  readonly #waiting = new Map<string, string>();
  #wake: () => void = () => undefined;

  /** @param signal aborts when nobody follows it any more */
  constructor(progress: TaskProgress, jobId: string, signal: AbortSignal) {
    const stop = progress.listen(jobId, stored => this.#add(stored));
    signal.addEventListener('abort', stop, { once: true });
  }

  /** Resolves when there is something to take. */
  async ready(): Promise<void> {
    if (this.#waiting.size === 0) await new Promise<void>(resolve => (this.#wake = resolve));
  }

  take(): readonly string[] {
    const frames = [...this.#waiting.values()];
    this.#waiting.clear();
    return frames;
  }

  #add(stored: StoredProgress): void {
    const data = { taskId: stored.taskId, ...toResource(stored) };
    this.#waiting.set(stored.taskId, `event: TaskProgressed\ndata: ${toJson(data)}\n\n`);
    this.#wake();
  }
}
