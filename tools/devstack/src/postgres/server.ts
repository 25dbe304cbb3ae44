import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { freePort } from '../ports.js';
import { postgresAccount } from './account.js';
import { postgresInstallation } from './binaries.js';
import { ensureCluster, type Cluster } from './cluster.js';
import { stopLeftoverServer } from './leftover.js';
import { clusterFolder, reachableInstallation } from './location.js';

export type PostgresOptions = {
  readonly dir: string;
  /** A free one when it is not given. */
  readonly port?: number;
  /** Called when the server ends without having been asked to. */
  readonly onExit?: (reason: string) => void;
};

export type PostgresServer = {
  /** URL of the superuser, for provisioning. */
  readonly adminUrl: string;
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
};

const readyLimitMs = 60_000;
const pollMs = 50;
const startAttempts = 5;
const logTailLength = 4_000;
/** Answers of a server that is not there yet: connection refused or cut, or "the database system is starting up". */
const notReadyYet = new Set(['ECONNREFUSED', 'ECONNRESET', '57P03']);

/**
 * Sized for a developer's machine. Nothing here trades away durability: fsync, full page writes and synchronous commit
 * keep their defaults. 150 connections are eight processes with pools of ten, and room for tests.
 */
const settings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '150',
  shared_buffers: '128MB',
  max_wal_size: '512MB',
  jit: 'off',
};

/** Starts PostgreSQL on the data of `dir`, which is made when it is not there. Works for root too. */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const dir = resolve(options.dir);
  const account = postgresAccount();
  const bin = join(reachableInstallation(postgresInstallation(), account), 'bin');
  const cluster = { bin, data: clusterFolder(dir, account), account };
  const password = passwordIn(dir);
  await stopLeftoverServer(cluster.data);
  await ensureCluster(cluster, password);

  const port = options.port ?? (await freePort());
  const adminUrl = `postgresql://postgres:${password}@127.0.0.1:${port}/postgres`;
  const server = await startWithRetries(cluster, port, adminUrl);
  let asked = false;
  const ended = () => {
    if (!asked) options.onExit?.(`PostgreSQL ended with ${server.signalCode ?? server.exitCode}`);
  };
  if (hasEnded(server)) ended();
  else server.once('exit', ended);
  return {
    adminUrl,
    port,
    pid: server.pid!,
    stop: () => {
      asked = true;
      return stop(server);
    },
  };
}

function passwordIn(dir: string): string {
  const path = join(dir, 'password');
  if (!existsSync(path)) writeFileSync(path, randomBytes(24).toString('base64url'), { mode: 0o600 });
  return readFileSync(path, 'utf8');
}

/** After SIGKILL of a server its children hold the shared memory for a moment, and a new server refuses to start. */
async function startWithRetries(cluster: Cluster, port: number, adminUrl: string): Promise<ChildProcess> {
  for (let attempt = 1; ; attempt++) {
    const { server, log } = spawnServer(cluster, port);
    const failure = await waitUntilReady(server, adminUrl);
    if (failure === undefined) return server;
    await stop(server);
    const isHeldByLastOne = log().includes('pre-existing shared memory block');
    if (!isHeldByLastOne || attempt === startAttempts)
      throw new Error(`PostgreSQL on port ${port} ${failure}:\n${log()}`);
    await sleep(attempt * 500);
  }
}

function spawnServer({ bin, data, account }: Cluster, port: number) {
  const flags = Object.entries({ ...settings, port }).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const server = spawn(join(bin, 'postgres'), ['-D', data, ...flags], {
    ...account,
    cwd: data,
    env: { LC_ALL: 'C' },
    stdio: ['ignore', 'ignore', 'pipe'],
    // In a process group of its own, an interrupt typed at the terminal does not stop it before its clients.
    detached: true,
  });
  let tail = '';
  server.stderr
    .setEncoding('utf8')
    .on('data', (text: string) => (tail = (tail + text).slice(-logTailLength)));
  return { server, log: () => tail };
}

/** Undefined when the server answers queries, or why it never will. */
async function waitUntilReady(server: ChildProcess, adminUrl: string): Promise<string | undefined> {
  let spawnError: Error | undefined;
  server.once('error', error => (spawnError = error));
  const deadline = Date.now() + readyLimitMs;
  while (Date.now() < deadline) {
    if (spawnError) return `could not be started (${spawnError.message})`;
    if (hasEnded(server)) return `ended with code ${server.exitCode}`;
    const answer = await ask(adminUrl);
    if (answer === 'ready') return undefined;
    // Whatever else answers there, with its own users and passwords, is not the server that was started.
    if (answer !== 'not yet') return `answers like another server (${answer.message})`;
    await sleep(pollMs);
  }
  return `was not ready after ${readyLimitMs} ms`;
}

async function ask(adminUrl: string): Promise<'ready' | 'not yet' | Error> {
  const client = new pg.Client({ connectionString: adminUrl });
  try {
    await client.connect();
    await client.query('SELECT 1');
    return 'ready';
  } catch (error) {
    return notReadyYet.has((error as { code?: string }).code ?? '') ? 'not yet' : (error as Error);
  } finally {
    await client.end();
  }
}

const hasEnded = (server: ChildProcess) => server.exitCode !== null || server.signalCode !== null;

/** A fast shutdown: sessions are cut, everything is written. */
async function stop(server: ChildProcess): Promise<void> {
  if (server.pid === undefined || hasEnded(server)) return;
  const ended = new Promise<void>(resolveEnded => server.once('exit', () => resolveEnded()));
  server.kill('SIGINT');
  await ended;
}
