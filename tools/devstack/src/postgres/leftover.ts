import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { commandLineOf } from '../process-identity.js';
import { postgresAccount } from './account.js';
import { clusterFolder } from './location.js';

const pollMs = 50;
const stopLimitMs = 30_000;

/**
 * After SIGKILL of whoever started it, a server may still run on the data folder, or have left its lock file behind.
 * A running one is asked to stop; a file whose process id now belongs to somebody else is removed, because PostgreSQL
 * itself would refuse to start for it.
 */
export async function stopLeftoverServer(data: string): Promise<void> {
  const lockFile = join(data, 'postmaster.pid');
  if (!existsSync(lockFile)) return;
  const pid = Number(readFileSync(lockFile, 'utf8').split('\n')[0]);
  if (!isServerOn(data, pid)) return rmSync(lockFile, { force: true });
  process.kill(pid, 'SIGINT');
  const deadline = Date.now() + stopLimitMs;
  while (isServerOn(data, pid)) {
    if (Date.now() > deadline)
      throw new Error(`PostgreSQL (process ${pid}) does not stop; it holds ${data}.`);
    await sleep(pollMs);
  }
}

/** The same for the server of a state folder. */
export const stopLeftoverPostgres = (dir: string) =>
  stopLeftoverServer(clusterFolder(dir, postgresAccount()));

const isServerOn = (data: string, pid: number) => commandLineOf(pid)?.includes(`-D ${data}`) ?? false;
