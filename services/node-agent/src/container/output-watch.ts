import { opendir, lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_EVERY_MS = 100;
/** More than this many files are too many, whatever is in them. */
const ENTRIES_MAX = 1_024;

/** Resolves when a folder on the machine's disk holds more than it may; only then, or when the signal aborts. */
export async function untilTooLarge(
  folder: string,
  limitBytes: number,
  signal: AbortSignal,
): Promise<boolean> {
  while (!signal.aborted) {
    if (await isTooLarge(folder, limitBytes)) return true;
    await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
  return false;
}

async function isTooLarge(folder: string, limitBytes: number): Promise<boolean> {
  let [bytes, entries] = [0, 0];
  const left = [folder];
  for (let path = left.pop(); path !== undefined; path = left.pop()) {
    for (const name of await namesIn(path)) {
      entries += 1;
      const found = await lstat(join(path, name)).catch(() => undefined);
      if (found?.isDirectory()) left.push(join(path, name));
      bytes += found?.isFile() ? found.size : 0;
      if (bytes > limitBytes || entries > ENTRIES_MAX) return true;
    }
  }
  return false;
}

/** The program that fills the folder may take it away at any moment. */
async function namesIn(folder: string): Promise<readonly string[]> {
  const names: string[] = [];
  try {
    for await (const { name } of await opendir(folder)) if (names.push(name) > ENTRIES_MAX) break;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'EACCES') throw error;
  }
  return names;
}
