import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TaskCompleted, TaskFailed } from '@astro/messages/agent';
import { z } from 'zod';
import { readJson, writeJson } from '../state/json-file.js';

/** The end of a lease as this node saw it, and since when the platform has it for sure. */
export type EndedLease = {
  readonly report: EndReport;
  readonly reportedAtMs: number | undefined;
};

export type EndReport =
  | { readonly type: 'TaskCompleted'; readonly data: TaskCompleted }
  | { readonly type: 'TaskFailed'; readonly data: TaskFailed };

const lease = { poolId: z.string(), leaseId: z.string(), fencingToken: z.number() };
const fault = z.enum([
  'none',
  'program_trapped',
  'program_timed_out',
  'program_out_of_memory',
  'output_too_large',
  'program_invalid',
]);
const transferred = z.object({ fetchedBytes: z.number(), uploadedBytes: z.number() });
const output = z.object({ name: z.string(), cid: z.string(), sizeBytes: z.number() });
const stored = z.object({
  reportedAtMs: z.number().optional(),
  report: z.discriminatedUnion('type', [
    z.object({
      type: z.literal('TaskCompleted'),
      data: z.object({
        ...{ ...lease, fault, digest: z.string(), outputs: z.array(output) },
        // Absent in what was written before transfer was metered.
        transferred: transferred.optional(),
      }),
    }),
    z.object({ type: z.literal('TaskFailed'), data: z.object({ ...lease, reason: z.string() }) }),
  ]),
});

/**
 * How leases ended, on disk, until the platform no longer lists them: after a crash a result that was not reported
 * is reported, and a lease that ended does not run again.
 */
export class LeaseJournal {
  readonly #folder: string;
  readonly #ended = new Map<string, EndedLease>();

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async open(folder: string): Promise<LeaseJournal> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const journal = new LeaseJournal(folder);
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      // A write that was cut off leaves a file of another name, and its lease simply has not ended.
      if (!name.endsWith('.json')) await rm(path, { force: true });
      else await journal.#load(path);
    }
    return journal;
  }

  ended(leaseId: string): EndedLease | undefined {
    return this.#ended.get(leaseId);
  }

  leaseIds(): readonly string[] {
    return [...this.#ended.keys()];
  }

  async record(ended: EndedLease): Promise<void> {
    await writeJson(this.#path(ended.report.data.leaseId), ended);
    this.#ended.set(ended.report.data.leaseId, ended);
  }

  async forget(leaseId: string): Promise<void> {
    this.#ended.delete(leaseId);
    await rm(this.#path(leaseId), { force: true });
  }

  async #load(path: string): Promise<void> {
    const parsed = stored.safeParse(await readJson(path));
    if (!parsed.success) throw new Error(`${path} is not the record of a lease`, { cause: parsed.error });
    const { report, reportedAtMs } = parsed.data;
    this.#ended.set(report.data.leaseId, { report, reportedAtMs });
  }

  #path(leaseId: string): string {
    if (!/^lease_[0-9a-z]{26}$/.test(leaseId)) throw new Error('a lease has no proper id');
    return join(this.#folder, `${leaseId}.json`);
  }
}
