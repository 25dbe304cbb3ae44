import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';

/** Of the machine's own root: what programs are made of. The others are links into it, or folders beside it. */
const HOST_ENTRIES = ['usr', 'bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'];
/** Of the machine's own `/etc`: how the loader finds libraries, and which of several commands is meant. */
const HOST_SETTINGS = ['/etc/ld.so.cache', '/etc/alternatives'];
/** How names are resolved and certificates checked, of which only a program with a network has a use. */
const NETWORK_SETTINGS = ['/etc/resolv.conf', '/etc/nsswitch.conf', '/etc/hosts', '/etc/ssl/certs'];
/** What each sandbox has of its own. */
const OWN_ENTRIES = ['proc', 'sys', 'dev', 'tmp', 'run', 'input', 'output', 'program'];

/**
 * The arguments by which bubblewrap makes the root of a sandbox, all of it read-only: from a folder with a root file
 * system, or else from the least of the machine's own, in which there is nobody's home and no configuration.
 */
export async function rootArguments(folder: string | undefined, hasNetwork: boolean): Promise<string[]> {
  const names = folder === undefined ? HOST_ENTRIES : await readdir(folder);
  const entries = names
    .filter(name => !OWN_ENTRIES.includes(name))
    .map(async name => mirrored(join(folder ?? '/', name), `/${name}`));
  const settings = [...(folder === undefined ? HOST_SETTINGS : []), ...(hasNetwork ? NETWORK_SETTINGS : [])];
  const etc = settings.flatMap(path => ['--ro-bind-try', path, path]);
  return [...(await Promise.all(entries)).flat(), ...(folder === undefined ? ['--dir', '/etc'] : []), ...etc];
}

async function mirrored(source: string, target: string): Promise<readonly string[]> {
  const found = await lstat(source).catch(() => undefined);
  if (!found) return [];
  return found.isSymbolicLink()
    ? ['--symlink', await readlink(source), target]
    : ['--ro-bind', source, target];
}
