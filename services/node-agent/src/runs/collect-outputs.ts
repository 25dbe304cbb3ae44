import { constants, type Dirent } from 'node:fs';
import { chmod, open, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import type { NamedBytes } from '../sandbox/program-run.js';

/** As for WebAssembly: outputs become files of others, so there are few of them and their names are plain. */
const ENTRIES_MAX = 64;
const NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/;

export type Collected =
  | {
      readonly isTooLarge: false;
      readonly outputs: readonly NamedBytes[];
      readonly leftOut: readonly string[];
    }
  | { readonly isTooLarge: true };

/**
 * What a program left in its folder once nothing of it runs. Only plain files of plain names are read: a link leads
 * wherever the program says, and a pipe blocks whoever opens it.
 */
export async function collectOutputs(folder: string, limitBytes: number): Promise<Collected> {
  const entries = await entriesOf(folder);
  if (entries.length > ENTRIES_MAX) return { isTooLarge: true };
  const outputs: NamedBytes[] = [];
  const leftOut: string[] = [];
  let leftBytes = limitBytes;
  for (const entry of entries) {
    const isPlain = entry.isFile() && NAME.test(entry.name);
    const bytes = isPlain ? await readPlainFile(join(folder, entry.name), leftBytes) : undefined;
    if (bytes === 'too large') return { isTooLarge: true };
    if (!bytes) leftOut.push(entry.name);
    else {
      leftBytes -= bytes.length;
      outputs.push({ name: entry.name, bytes });
    }
  }
  outputs.sort((left, right) => (left.name < right.name ? -1 : 1));
  return { isTooLarge: false, outputs, leftOut };
}

/** One more than may be there at most: a program can make millions. */
async function entriesOf(folder: string): Promise<readonly Dirent[]> {
  const entries: Dirent[] = [];
  for await (const entry of await opendir(folder)) {
    entries.push(entry);
    if (entries.length > ENTRIES_MAX) break;
  }
  return entries;
}

/** What the name was a moment ago is not believed: the file that was opened is looked at. */
async function readPlainFile(
  path: string,
  limitBytes: number,
): Promise<Uint8Array | 'too large' | undefined> {
  // A program may have taken the right to read from its own file.
  await chmod(path, 0o400);
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const found = await file.stat();
    if (!found.isFile()) return undefined;
    // Also a file of holes counts for what it would be read as.
    return found.size > limitBytes ? 'too large' : new Uint8Array(await file.readFile());
  } finally {
    await file.close();
  }
}

/** For the people who read logs: what a program wrote and nobody will get. */
export const leftOutNote = (leftOut: readonly string[]): string =>
  leftOut.length === 0 ? '' : `\nleft out, for only plain files are outputs: ${leftOut.join(', ')}`;
