import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, sep } from 'node:path';
import { canEnter, type Account } from './account.js';

const hashOf = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 12);

/** Where the cluster of the state folder `dir` lies when PostgreSQL's account cannot enter `dir`. */
export const folderElsewhere = (dir: string) => join(tmpdir(), `astro-${hashOf(dir)}`);

/**
 * Where the cluster of the state folder `dir` lies: in the folder itself, or, where PostgreSQL's account cannot enter
 * that (root's home, for example), in a folder of the temporary directory that is named after it. A file in `dir`
 * says so to people; the name follows from `dir`, so that a restart finds it again.
 */
export function clusterFolder(dir: string, account: Account | undefined): string {
  mkdirSync(dir, { recursive: true });
  if (!account) return join(dir, 'data');
  for (const folder of scratchFolders(dir)) chmodSync(folder, statSync(folder).mode | 0o011);
  if (canEnter(account, dir)) return join(dir, 'data');
  const elsewhere = folderElsewhere(dir);
  writeFileSync(join(dir, 'elsewhere.txt'), `${elsewhere}\n`);
  return elsewhere;
}

/**
 * The folder itself, and above it those inside the temporary directory: passage through them may be given. Other
 * folders above it are people's own, and are left as they are.
 */
function scratchFolders(dir: string): readonly string[] {
  const folders = [dir];
  for (let above = dirname(dir); above.startsWith(tmpdir() + sep); above = dirname(above))
    folders.push(above);
  return folders;
}

/** The installation itself, or a copy that PostgreSQL's account can enter, made once for each place it comes from. */
export function reachableInstallation(installation: string, account: Account | undefined): string {
  if (!account || canEnter(account, installation)) return installation;
  const copy = join(tmpdir(), `astro-postgres-${hashOf(installation)}`);
  if (existsSync(copy)) return copy;
  // Renamed when it is whole, so that an interrupted copy is never taken for an installation.
  const draft = `${copy}.${process.pid}`;
  cpSync(installation, draft, { recursive: true, verbatimSymlinks: true });
  try {
    renameSync(draft, copy);
  } catch (error) {
    rmSync(draft, { recursive: true });
    if (!existsSync(copy)) throw error;
  }
  return copy;
}
