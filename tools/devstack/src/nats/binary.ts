import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from '../cache-folder.js';
import { unpackDebianPackages } from '../debian/package.js';
import { downloadRelease } from './release-archive.js';

const run = promisify(execFile);

/** A consumer can start over since 2.14; servers before 2.12 ignore atomic batches and TTLs without a word. */
const OLDEST_VERSION = [2, 14] as const;

export type Progress = (line: string) => void;

/**
 * Path of a NATS server of at least 2.14. Tries, in this order: the `NATS_SERVER` variable, `nats-server`
 * on the PATH, the cache, the official release archive, and Debian's package from unstable, unpacked
 * without root.
 * @throws Error that lists what was tried, when none of them gives a server
 */
export async function natsServerBinary(log: Progress = () => undefined): Promise<string> {
  const tried: string[] = [];
  const note: Progress = line => {
    tried.push(line);
    log(line);
  };
  const cached = join(cacheFolder(), 'nats-server');
  return (
    (await installed(note)) ??
    (await usable(cached, note)) ??
    (await acquire(cached, 'official release archive', folder => downloadRelease(folder), note)) ??
    (await acquire(cached, "Debian's package", unpackServer, note)) ??
    fail(tried)
  );
}

function fail(tried: readonly string[]): never {
  const advice = 'Install nats-server 2.14 or later and name it in NATS_SERVER.';
  throw new Error(['There is no usable NATS server.', ...tried.map(line => `  ${line}`), advice].join('\n'));
}

async function installed(note: Progress): Promise<string | undefined> {
  const named = process.env.NATS_SERVER;
  if (named) {
    const path = await usable(named, note);
    if (path) return path;
    note(`NATS_SERVER names ${named}, which is not a nats-server of 2.14 or later`);
  }
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = folder && (await usable(join(folder, 'nats-server'), note));
    if (path) return path;
  }
  return undefined;
}

async function usable(path: string, note: Progress): Promise<string | undefined> {
  const executable = await access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
  if (!executable) return undefined;
  const version = await versionOf(path);
  if (version && isRecent(version)) return path;
  note(`${path} is ${version ?? 'not a nats-server'}: 2.14 or later is needed`);
  return undefined;
}

/** `nats-server: v2.15.1` gives `2.15.1`; anything that does not say so gives undefined. */
async function versionOf(path: string): Promise<string | undefined> {
  const output = await run(path, ['--version'], { timeout: 5_000 }).then(
    ({ stdout }) => stdout,
    () => '',
  );
  return /v(\d+\.\d+\.\d+)/.exec(output)?.[1];
}

function isRecent(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > OLDEST_VERSION[0] || (major === OLDEST_VERSION[0] && minor >= OLDEST_VERSION[1]);
}

/** Two processes may do this at once: each works in its own folder, and the rename at the end is atomic. */
async function acquire(
  target: string,
  source: string,
  fetchInto: (folder: string, note: Progress) => Promise<string>,
  note: Progress,
): Promise<string | undefined> {
  await mkdir(cacheFolder(), { recursive: true });
  const folder = await mkdtemp(join(cacheFolder(), 'nats-'));
  try {
    const started = Date.now();
    const binary = await fetchInto(folder, note);
    const version = await versionOf(binary);
    if (!version || !isRecent(version)) throw new Error(`its version is ${version ?? 'unknown'}`);
    await rename(binary, target);
    note(`nats-server ${version} from ${source} (${Date.now() - started} ms)`);
    return target;
  } catch (error) {
    note(`${source}: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`);
    return undefined;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Debian's unstable release has the newest server. */
async function unpackServer(folder: string): Promise<string> {
  return installedIn(join(await unpackDebianPackages(['nats-server'], 'sid', folder), 'usr'));
}

/** The package has moved between `/usr/bin` and `/usr/sbin`. */
async function installedIn(usr: string): Promise<string> {
  const inSbin = join(usr, 'sbin', 'nats-server');
  return access(inSbin).then(
    () => inSbin,
    () => join(usr, 'bin', 'nats-server'),
  );
}
