import { readdirSync, readFileSync } from 'node:fs';

const KIB_PER_MIB = 1_024;

/** Resident memory, in MiB, of all processes whose command lines have all of these words. */
export function rssMbOf(words: readonly string[]): number {
  const pids = readdirSync('/proc').filter(name => /^\d+$/.test(name));
  const found = pids.filter(pid => {
    const command = read(`/proc/${pid}/cmdline`);
    return words.every(word => command.includes(word));
  });
  if (found.length === 0) throw new Error(`no process runs ${words.join(' ')}`);
  return found.reduce((sum, pid) => sum + rssMbOfProcess(pid), 0);
}

/** Resident memory of one process in MiB, 0 when it has just ended. */
export function rssMbOfProcess(pid: number | string): number {
  const [, kib = '0'] = /^VmRSS:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`)) ?? [];
  return Math.round(Number(kib) / KIB_PER_MIB);
}

/** Nothing of a process that has just ended. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
