import { join } from 'node:path';
import { startPostgres } from '@astro/devstack/postgres/server';
import type { Progress } from './benchmark.js';
import { installRival, runIn } from './rival.js';

const folder = new URL('../rivals/emmett/', import.meta.url).pathname;
const RUN_LIMIT_MS = 60_000;

/**
 * Commands a second of Emmett on PostgreSQL: the same decider, in two processes with half of the keys each.
 * Null where it cannot be installed.
 */
export async function emmettPerSecond(scratch: string, progress: Progress): Promise<number | null> {
  const isInstalled = await installRival('Emmett', folder, '@event-driven-io/emmett-postgresql', progress);
  if (!isInstalled) return null;
  const postgres = await startPostgres({ dir: join(scratch, 'postgres') });
  try {
    const url = postgres.adminUrl;
    await runNode(['run.mjs', url, 'prepare'], RUN_LIMIT_MS);
    const rates = await Promise.all([0, 1].map(() => runNode(['run.mjs', url, 'measure'], RUN_LIMIT_MS)));
    const total = rates.reduce((sum, rate) => sum + Number(rate), 0);
    progress(`Emmett: ${Math.round(total)} commands/s`);
    return total;
  } finally {
    await postgres.stop();
  }
}

const runNode = (args: readonly string[], timeoutMs: number) =>
  runIn(folder, process.execPath, args, timeoutMs);
