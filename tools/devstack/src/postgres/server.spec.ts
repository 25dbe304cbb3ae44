import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { postgresAccount } from './account.js';
import { postgresInstallation } from './binaries.js';
import { folderElsewhere, reachableInstallation } from './location.js';
import { startPostgres, type PostgresServer } from './server.js';

let parent: string;
let dir: string;
let hidden: string | undefined;
let server: PostgresServer | undefined;

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'astro-postgres-spec-'));
  dir = join(parent, 'postgres');
});

afterEach(async () => {
  await server?.stop();
  server = undefined;
  if (hidden) rmSync(hidden, { recursive: true, force: true });
  hidden = undefined;
  rmSync(parent, { recursive: true, force: true });
  rmSync(folderElsewhere(dir), { recursive: true, force: true });
});

async function query(text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: server!.adminUrl });
  // A server that is killed under an open connection is what some of these tests are about.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<unknown[]>({ text, rowMode: 'array' })).rows.flat();
  } finally {
    await client.end();
  }
}

test('a fresh folder gets a durable server that only this machine reaches, with a secret password', async () => {
  server = await startPostgres({ dir });
  expect(await query('SHOW fsync')).toEqual(['on']);
  expect(await query('SHOW synchronous_commit')).toEqual(['on']);
  expect(await query('SHOW listen_addresses')).toEqual(['127.0.0.1']);
  expect(statSync(join(dir, 'password')).mode & 0o777).toBe(0o600);
}, 60_000);

test('a restart on the same folder continues from its data and keeps its password', async () => {
  server = await startPostgres({ dir });
  const firstUrl = server.adminUrl;
  await query('CREATE TABLE kept AS SELECT 42 AS answer');
  await server.stop();
  server = await startPostgres({ dir, port: server.port });
  expect(server.adminUrl).toBe(firstUrl);
  expect(await query('SELECT answer FROM kept')).toEqual([42]);
}, 60_000);

test('a server that was killed leaves no lock that stops the next one', async () => {
  server = await startPostgres({ dir });
  await query('CREATE TABLE kept AS SELECT 42 AS answer');
  process.kill(server.pid, 'SIGKILL');
  server = await startPostgres({ dir });
  expect(await query('SELECT answer FROM kept')).toEqual([42]);
}, 60_000);

test('a server that outlived whoever started it is stopped before the next one starts', async () => {
  const orphan = await startPostgres({ dir });
  server = await startPostgres({ dir });
  expect(server.pid).not.toBe(orphan.pid);
  expect(await query('SELECT 1')).toEqual([1]);
}, 60_000);

test('a lock file whose process id now belongs to another program does not stop a start', async () => {
  server = await startPostgres({ dir });
  await server.stop();
  const lockFile = join(
    existsSync(join(dir, 'data')) ? join(dir, 'data') : folderElsewhere(dir),
    'postmaster.pid',
  );
  writeFileSync(lockFile, `${process.pid}\n`);
  server = await startPostgres({ dir });
  expect(await query('SELECT 1')).toEqual([1]);
}, 60_000);

test('a port that is taken is refused, and the error names it', async () => {
  server = await startPostgres({ dir });
  await expect(startPostgres({ dir: join(parent, 'other'), port: server.port })).rejects.toThrow(
    `port ${server.port}`,
  );
  expect(await query('SELECT 1')).toEqual([1]);
}, 60_000);

// Only root lends PostgreSQL to another account, so for nobody else is there a folder it cannot enter.
if (userInfo().uid === 0) {
  test('root gets a server for a folder that only root can enter, its data elsewhere and named there', async () => {
    // Outside the temporary directory, where PostgreSQL's account is given no passage.
    hidden = mkdtempSync(join(homedir(), '.astro-postgres-spec-'));
    dir = join(hidden, 'postgres');
    server = await startPostgres({ dir });
    await query('CREATE TABLE kept AS SELECT 42 AS answer');
    await server.stop();
    server = await startPostgres({ dir });
    expect(await query('SELECT answer FROM kept')).toEqual([42]);
    expect(readFileSync(join(dir, 'elsewhere.txt'), 'utf8').trim()).toBe(folderElsewhere(dir));
  }, 60_000);

  test('root gets a copy of an installation that only root can enter', async () => {
    const account = postgresAccount()!;
    hidden = mkdtempSync(join(homedir(), '.astro-postgres-spec-'));
    cpSync(postgresInstallation(), hidden, { recursive: true, verbatimSymlinks: true });
    const reachable = reachableInstallation(hidden, account);
    try {
      const { stdout } = spawnSync(join(reachable, 'bin/postgres'), ['--version'], {
        ...account,
        cwd: '/',
        encoding: 'utf8',
      });
      expect(stdout).toContain('PostgreSQL');
      expect(reachableInstallation(hidden, account)).toBe(reachable);
    } finally {
      rmSync(reachable, { recursive: true });
    }
  }, 60_000);
}
