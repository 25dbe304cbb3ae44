import { linkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readIfThere, writePrivately } from './files.js';
import { commandLineOf } from './process-identity.js';

type Holder = { readonly pid: number; readonly commandLine: string };

export class StateInUse extends Error {
  constructor(
    readonly folder: string,
    readonly pid: number,
  ) {
    super(
      `Astro already runs from ${folder} (process ${pid}). Stop it first, or set ASTRO_HOME to another folder.`,
    );
  }
}

const claimFile = (folder: string) => join(folder, 'claim');
const attempts = 10;

/**
 * Makes this process the only one that uses the folder. The claim of a process that ended without giving it back
 * counts for nothing, even when its id belongs to another program by now.
 */
export function claim(folder: string): () => void {
  const path = claimFile(folder);
  const draft = `${path}.${process.pid}`;
  writePrivately(draft, JSON.stringify({ pid: process.pid, commandLine: commandLineOf(process.pid) }));
  try {
    for (let attempt = 0; attempt < attempts; attempt++) {
      if (linked(draft, path)) return () => rmSync(path, { force: true });
      const pid = holderOf(folder);
      if (pid !== undefined) throw new StateInUse(folder, pid);
      rmSync(path, { force: true });
    }
    throw new Error(`The claim on ${folder} changes hands faster than it can be taken.`);
  } finally {
    rmSync(draft, { force: true });
  }
}

/** The running process that has the folder. */
export function holderOf(folder: string): number | undefined {
  const text = readIfThere(claimFile(folder));
  if (text === undefined) return undefined;
  const { pid, commandLine } = JSON.parse(text) as Holder;
  return commandLineOf(pid) === commandLine ? pid : undefined;
}

/** A hard link appears with its content or not at all, so that nobody reads half a claim. */
function linked(draft: string, path: string): boolean {
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}
