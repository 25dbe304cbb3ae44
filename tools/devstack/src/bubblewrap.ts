import { execFile } from 'node:child_process';
import { chmod, lstat, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { debianRelease, unpackDebianPackages } from './debian/package.js';

const run = promisify(execFile);

/**
 * Path of a bubblewrap that runs here: `bwrap` on the PATH, else Debian's package for this machine's own release,
 * unpacked without root and kept.
 */
export async function bubblewrapBinary(): Promise<string> {
  const onPath = (process.env.PATH ?? '').split(delimiter).filter(folder => folder !== '');
  const shelf = await ownShelf();
  for (const folder of [...onPath, shelf]) {
    const path = join(folder, 'bwrap');
    if (await isUsable(path)) return path;
  }
  return unpackInto(shelf);
}

/**
 * Sandboxes run as other users, so that it lies where every user may execute it, which the cache below a home folder
 * is not; who could have put something there before, is checked.
 */
async function ownShelf(): Promise<string> {
  const userId = process.getuid?.() ?? 0;
  const shelf = join(tmpdir(), `astro-bubblewrap-${userId}`);
  await mkdir(shelf, { recursive: true, mode: 0o755 });
  const found = await lstat(shelf);
  if (!found.isDirectory() || found.uid !== userId) throw new Error(`${shelf} belongs to somebody else`);
  await chmod(shelf, 0o755);
  return shelf;
}

/** Two processes may do this at once: each unpacks in a folder of its own, and the rename is atomic. */
async function unpackInto(shelf: string): Promise<string> {
  const folder = await mkdtemp(join(shelf, 'package-'));
  const path = join(shelf, 'bwrap');
  try {
    const root = await unpackDebianPackages(['bubblewrap'], await debianRelease(), folder);
    await rename(join(root, 'usr', 'bin', 'bwrap'), path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  if (!(await isUsable(path))) throw new Error(`${path} does not run here: install bubblewrap`);
  return path;
}

const isUsable = (path: string): Promise<boolean> =>
  run(path, ['--version'], { timeout: 5_000 }).then(
    () => true,
    () => false,
  );
