import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, mkdtemp, open, rename, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cacheFolder } from './cache-folder.js';
import { debianRelease, unpackDebianPackages } from './debian/package.js';

const PACKAGES = ['docker.io', 'containerd', 'runc', 'iptables', 'tini', 'busybox-static'];
const START_TIMEOUT_MS = 60_000;
const LOOK_EVERY_MS = 100;

export type ContainerEngine = {
  readonly socket: string;
  /** A program of many commands that needs no library: enough of an image. */
  readonly busybox: string;
  stop(): Promise<void>;
};

/**
 * A container engine of its own, from Debian's packages for this machine's release, with all that it keeps in one
 * folder, and no network for its containers. It needs root.
 * @throws Error that says why there is none
 */
export async function startContainerEngine(): Promise<ContainerEngine> {
  if (process.getuid?.() !== 0) throw new Error('only root can start a container engine');
  const packages = await enginePackages();
  const folder = await mkdtemp(join(tmpdir(), 'astro-engine-'));
  const socket = join(folder, 'engine.sock');
  const places = { 'data-root': 'data', 'exec-root': 'exec', pidfile: 'pid' };
  const settings = [
    ...Object.entries(places).map(([name, place]) => `--${name}=${join(folder, place)}`),
    ...['--storage-driver=vfs', '--bridge=none', '--iptables=false', '--ip6tables=false'],
    `--host=unix://${socket}`,
  ];
  const commands = ['usr/sbin', 'usr/bin'].map(part => join(packages, part));
  const env = { ...process.env, PATH: [...commands, process.env.PATH].join(delimiter) };
  const log = await open(join(folder, 'log'), 'w');
  // Whatever it mounts is gone with it.
  const engine = spawn('unshare', ['--mount', '--propagation', 'private', 'dockerd', ...settings], {
    env,
    stdio: ['ignore', log.fd, log.fd],
  });
  const exited = once(engine, 'exit');
  await log.close();
  const stop = async () => {
    engine.kill('SIGTERM');
    await exited;
    await rm(folder, { recursive: true, force: true });
  };
  const deadlineMs = performance.now() + START_TIMEOUT_MS;
  while (!(await answers(socket))) {
    if (engine.exitCode === null && performance.now() < deadlineMs) await sleep(LOOK_EVERY_MS);
    else {
      await stop();
      throw new Error('the container engine does not start here');
    }
  }
  return { socket, busybox: join(packages, 'bin', 'busybox'), stop };
}

/** Two processes may do this at once: the rename is atomic, and the first one counts. */
async function enginePackages(): Promise<string> {
  const release = await debianRelease();
  const kept = join(cacheFolder(), `container-engine-${release}`);
  if (await exists(join(kept, 'usr', 'sbin', 'dockerd'))) return kept;
  await mkdir(cacheFolder(), { recursive: true });
  const folder = await mkdtemp(join(cacheFolder(), 'container-engine-'));
  try {
    await rename(await unpackDebianPackages(PACKAGES, release, folder), kept).catch(
      async (error: unknown) => {
        if (!(await exists(kept))) throw error;
      },
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return kept;
}

const answers = (socketPath: string): Promise<boolean> =>
  new Promise(resolve => {
    request({ socketPath, path: '/_ping' }, response => {
      response.resume();
      resolve(response.statusCode === 200);
    })
      .on('error', () => resolve(false))
      .end();
  });

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
