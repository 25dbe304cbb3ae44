import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Account } from './account.js';

/** Programs, data folder and system account of one PostgreSQL cluster. */
export type Cluster = { readonly bin: string; readonly data: string; readonly account: Account | undefined };

/** Makes the data folder unless it is there. An interrupted attempt leaves nothing that looks like a cluster. */
export async function ensureCluster(cluster: Cluster, password: string): Promise<void> {
  if (existsSync(join(cluster.data, 'PG_VERSION'))) return;
  const draft = `${cluster.data}.new`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { recursive: true, mode: 0o700 });
  await own(draft, cluster.account);
  await initialise({ ...cluster, data: draft }, password);
  renameSync(draft, cluster.data);
}

async function initialise({ bin, data, account }: Cluster, password: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'astro-initdb-'));
  const passwordFile = join(folder, 'password');
  try {
    writeFileSync(passwordFile, password, { mode: 0o600 });
    await own(folder, account);
    await own(passwordFile, account);
    const flags = ['--username=postgres', '--auth=scram-sha-256', '--encoding=UTF8', '--no-locale'];
    await promisify(execFile)(
      join(bin, 'initdb'),
      [`--pgdata=${data}`, `--pwfile=${passwordFile}`, ...flags],
      { ...account, cwd: data, env: { LC_ALL: 'C' } },
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function own(path: string, account: Account | undefined): Promise<void> {
  if (account) await chown(path, account.uid, account.gid);
}
