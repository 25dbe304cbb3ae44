import { readdirSync, readFileSync } from 'node:fs';

const KIB_PER_MIB = 1_024;

/** Resident memory, in MiB, of the process whose command line has all of these words. */
export function rssMbOf(words: readonly string[]): number {
  for (const pid of readdirSync('/proc').filter(name => /^\d+$/.test(name))) {
    const command = read(`/proc/${pid}/cmdline`);
    if (!words.every(word => command.includes(word))) continue;
    const [, kib] = /^VmRSS:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`)) ?? [];
    if (kib !== undefined) return Math.round(Number(kib) / KIB_PER_MIB);
  }
  throw new Error(`no process runs ${words.join(' ')}`);
}

/** Nothing of a process that has just ended. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
