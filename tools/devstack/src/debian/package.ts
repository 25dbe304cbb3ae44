import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const PACKAGE_TIMEOUT_MS = 120_000;

/**
 * Unpacks packages of Debian below `folder`, and answers the root of what was in them. A private apt set-up reads them
 * without root or a change of the system; signatures are checked as ever.
 * @param suite a release of Debian; the machine's own where its libraries must fit
 */
export async function unpackDebianPackages(
  names: readonly string[],
  suite: string,
  folder: string,
): Promise<string> {
  const uri = await debianMirror();
  for (const needed of ['state/lists/partial', 'cache/archives/partial', 'log']) {
    await mkdir(join(folder, needed), { recursive: true });
  }
  await writeFile(join(folder, 'sources.list'), `deb [signed-by=${KEYRING}] ${uri} ${suite} main\n`);
  const settings = {
    'Dir::State': join(folder, 'state'),
    'Dir::State::status': '/var/lib/dpkg/status',
    'Dir::Cache': join(folder, 'cache'),
    'Dir::Log': join(folder, 'log'),
    'Dir::Etc::SourceList': join(folder, 'sources.list'),
    'Dir::Etc::SourceParts': '/dev/null',
    'Dir::Etc::PreferencesParts': '/dev/null',
    'APT::Sandbox::User': '',
    'Acquire::http::Timeout': '20',
    'Acquire::Retries': '1',
  };
  const options = Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
  const limits = { cwd: folder, timeout: PACKAGE_TIMEOUT_MS, maxBuffer: 16 * 1024 * 1024 };
  await run('apt-get', [...options, '-q', 'update'], limits);
  await run('apt-get', [...options, '-q', 'download', ...names], limits);
  const archives = (await readdir(folder)).filter(file => file.endsWith('.deb'));
  if (archives.length < names.length) throw new Error('apt-get download left no package');
  for (const archive of archives) await run('dpkg', ['-x', archive, 'root'], limits);
  return join(folder, 'root');
}

/** The release that this machine runs, for what is linked against its libraries. */
export async function debianRelease(): Promise<string> {
  const codename = /^VERSION_CODENAME=(\w+)$/m.exec(await readFile('/etc/os-release', 'utf8'))?.[1];
  if (!codename) throw new Error('/etc/os-release names no release');
  return codename;
}

/** The mirror that this machine's own apt already uses. */
async function debianMirror(): Promise<string> {
  const texts = await Promise.all(
    ['/etc/apt/sources.list.d/debian.sources', '/etc/apt/sources.list'].map(path =>
      readFile(path, 'utf8').catch(() => ''),
    ),
  );
  const uris = texts
    .join('\n')
    .matchAll(/^(?:URIs:\s*|deb\s+(?:\[[^\]]*\]\s+)?)(?<uri>https?:\/\/\S+\/debian\/?)(?:\s|$)/gm);
  for (const { groups } of uris) if (groups?.uri) return groups.uri;
  throw new Error('this machine has no Debian package sources');
}
