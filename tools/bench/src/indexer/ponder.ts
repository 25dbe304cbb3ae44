import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Pool } from 'pg';
import { freePort } from '@astro/devstack/ports';
import { startPostgres } from '@astro/devstack/postgres/server';
import type { Progress } from '../benchmark.js';
import { installRival } from '../rival.js';
import type { BatchChain } from './batch-chain.js';
import { assertMirrored, untilRow } from './mirrored-tables.js';

const folder = new URL('../../rivals/ponder/', import.meta.url).pathname;
const runLimitMs = 300_000;
/** What Ponder says when it has compiled itself, made its tables and begins to read the chain. */
const begins = 'historical sync';
const tables = { transfers: 'rival.transfer', balances: 'rival.balance', balanceColumn: 'amount' };

/**
 * Transfers a second of Ponder with nothing in its cache, from when it begins to read the chain, so that its start does
 * not count. Null where it cannot be installed.
 */
export async function ponderPerSecond(
  dir: string,
  chain: BatchChain,
  transfers: { readonly count: number; readonly last: string },
  progress: Progress,
): Promise<number | null> {
  if (!(await installRival('Ponder', folder, 'ponder', progress))) return null;
  // It makes schemas of its own, so it gets a server of its own.
  await mkdir(dir, { recursive: true });
  const server = await startPostgres({ dir: join(dir, 'postgres') });
  const url = server.adminUrl;
  const database = new Pool({ connectionString: url, max: 2 });
  const child = spawn(process.execPath, await wordsOf(), {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      ...{ RIVAL_DATABASE_URL: url, RIVAL_RPC_URL: chain.anvil.url, RIVAL_TOKEN: chain.token },
      PONDER_TELEMETRY_DISABLED: 'true',
    },
  });
  const ended = new AbortController();
  child.once('exit', (code, signal) => ended.abort(new Error(`Ponder ended with ${signal ?? code}`)));
  try {
    const beganMs = await begun(child, ended.signal);
    await untilRow(database, tables, transfers.last, runLimitMs, ended.signal);
    const seconds = (performance.now() - beganMs) / 1_000;
    await assertMirrored(database, tables, chain);
    return transfers.count / seconds;
  } finally {
    if (!ended.signal.aborted) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    await database.end();
    await server.stop();
  }
}

async function wordsOf(): Promise<readonly string[]> {
  const program = 'node_modules/ponder/dist/esm/bin/ponder.js';
  const port = String(await freePort());
  return [program, 'start', '--schema', 'rival', '--log-format', 'json', '--port', port];
}

/** When it began, by the clock of `performance`. The rest of what it says is read and thrown away. */
function begun(child: ChildProcess, signal: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error));
    let said = '';
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      if (said.includes(begins)) return;
      said += text;
      if (said.includes(begins)) resolve(performance.now());
    });
  });
}
