import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { startPostgres } from '@astro/devstack/postgres/server';
import type { Progress } from './benchmark.js';

const folder = new URL('../rivals/emmett/', import.meta.url).pathname;
const INSTALL_LIMIT_MS = 300_000;
const RUN_LIMIT_MS = 60_000;

/** Commands a second of Emmett on PostgreSQL: the same decider, in two processes with half of the keys each. */
export async function emmettPerSecond(scratch: string, progress: Progress): Promise<number> {
  await install(progress);
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

/** It is no part of the platform, so it is installed on first use, beside the platform's own packages. */
async function install(progress: Progress): Promise<void> {
  if (existsSync(join(folder, 'node_modules/@event-driven-io/emmett-postgresql'))) return;
  progress('installing Emmett');
  await run('npm', ['install', '--no-audit', '--no-fund'], INSTALL_LIMIT_MS);
}

const runNode = (args: readonly string[], timeoutMs: number) => run(process.execPath, args, timeoutMs);

async function run(file: string, args: readonly string[], timeoutMs: number): Promise<string> {
  const child = spawn(file, args, {
    cwd: folder,
    timeout: timeoutMs,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  if (code !== 0) throw new Error(`${file} ${args[0]} ended with ${signal ?? code}`);
  return output.trim();
}
