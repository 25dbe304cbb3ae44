import { readdir, readFile } from 'node:fs/promises';

const OWN_STREAMS = 3;
const CLOSED_ON_EXECUTION = 0o2000000;

/**
 * Numbers of the open files that whoever started the agent left to it, and that each of its children would have too.
 * Node closes its own for them, but not all of those that it was born with.
 */
export async function inheritedFiles(): Promise<readonly number[]> {
  const open = (await readdir('/proc/self/fdinfo')).map(Number).filter(fd => fd >= OWN_STREAMS);
  const inherited = await Promise.all(open.map(async fd => ((await isInherited(fd)) ? [fd] : [])));
  return inherited.flat();
}

async function isInherited(fd: number): Promise<boolean> {
  // One that was closed meanwhile leads nowhere.
  const info = await readFile(`/proc/self/fdinfo/${fd}`, 'utf8').catch(() => '');
  const flags = /^flags:\s*(\d+)$/m.exec(info)?.[1];
  return flags !== undefined && (parseInt(flags, 8) & CLOSED_ON_EXECUTION) === 0;
}
