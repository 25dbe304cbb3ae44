import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { readJson, writeJson } from '../state/json-file.js';

const stored = z.object({ taskId: z.string(), round: z.number(), digest: z.string(), salt: z.string() });

/** What this validator has found and fixed by a commitment, with the salt that opens it. */
export type KeptVerdict = z.output<typeof stored>;

/**
 * On disk before anything is committed: a commitment whose salt is lost can never be revealed, and silence after it
 * costs as much as a lie. Forgotten once the platform does not list the audit any more.
 */
export class VerdictJournal {
  readonly #folder: string;
  readonly #kept = new Map<string, KeptVerdict>();

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async open(folder: string): Promise<VerdictJournal> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const journal = new VerdictJournal(folder);
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      // A write that was cut off leaves a file of another name, and nothing was committed then.
      if (!name.endsWith('.json')) await rm(path, { force: true });
      else journal.#load(path, await readJson(path));
    }
    return journal;
  }

  of(taskId: string, round: number): KeptVerdict | undefined {
    return this.#kept.get(nameOf(taskId, round));
  }

  async keep(verdict: KeptVerdict): Promise<void> {
    const name = nameOf(verdict.taskId, verdict.round);
    await writeJson(join(this.#folder, name), verdict);
    this.#kept.set(name, verdict);
  }

  async keepOnly(wanted: readonly { readonly taskId: string; readonly round: number }[]): Promise<void> {
    const names = new Set(wanted.map(({ taskId, round }) => nameOf(taskId, round)));
    for (const name of this.#kept.keys()) {
      if (names.has(name)) continue;
      this.#kept.delete(name);
      await rm(join(this.#folder, name), { force: true });
    }
  }

  #load(path: string, value: unknown): void {
    const parsed = stored.safeParse(value);
    if (!parsed.success) throw new Error(`${path} is not the record of a verdict`, { cause: parsed.error });
    this.#kept.set(nameOf(parsed.data.taskId, parsed.data.round), parsed.data);
  }
}

function nameOf(taskId: string, round: number): string {
  if (!/^task_[0-9a-z]{26}$/.test(taskId)) throw new Error('a task has no proper id');
  return `${taskId}-${round}.json`;
}
