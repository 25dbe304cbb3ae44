import type { Msg } from '@nats-io/transport-node';
import type { Bus } from './bus.js';
import { readPage } from './direct-read.js';
import { assertToken } from './subjects.js';

const STREAM = 'PROGRESS';
const PAGE_MESSAGES = 1_000;

export type LeaseRef = { readonly jobId: string; readonly taskId: string; readonly leaseId: string };

export type StoredProgress = LeaseRef & { readonly storedAt: Date; readonly payload: Uint8Array };

/** How far programs said that they were: the last of each lease, for a day, and in memory only. */
export class TaskProgress {
  readonly #bus: Bus;

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  async put({ jobId, taskId, leaseId }: LeaseRef, payload: Uint8Array): Promise<void> {
    const tokens = [jobId, taskId, leaseId].map(assertToken);
    await this.#bus.js.publish(['progress', ...tokens].join('.'), payload);
  }

  /** The last of each lease of a job, in the order in which they were stored. */
  async ofJob(jobId: string): Promise<readonly StoredProgress[]> {
    const found: StoredProgress[] = [];
    for (let from = 1; ;) {
      const page = { seq: from, batch: PAGE_MESSAGES, next_by_subj: subjectOf(jobId) };
      const messages = await readPage(this.#bus, STREAM, page);
      for (const { subject, data, timestamp } of messages)
        found.push({ ...refIn(subject), storedAt: new Date(timestamp), payload: data });
      const last = messages.at(-1);
      if (!last || messages.length < PAGE_MESSAGES) return found;
      from = last.seq + 1;
    }
  }

  /** Calls back with whatever is told of a job from now on, until the function that it returns is called. */
  listen(jobId: string, heard: (progress: StoredProgress) => void): () => void {
    const callback = (error: Error | null, { subject, data }: Msg) => {
      if (error === null) heard({ ...refIn(subject), storedAt: new Date(), payload: data });
    };
    const subscription = this.#bus.connection.subscribe(subjectOf(jobId), { callback });
    return () => subscription.unsubscribe();
  }
}

const subjectOf = (jobId: string): string => `progress.${assertToken(jobId)}.>`;

function refIn(subject: string): LeaseRef {
  const [, jobId = '', taskId = '', leaseId = ''] = subject.split('.');
  return { jobId, taskId, leaseId };
}
