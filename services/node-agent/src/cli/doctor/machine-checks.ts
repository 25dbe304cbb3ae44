import { constants } from 'node:fs';
import { access, mkdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { freemem } from 'node:os';
import type { RuntimeKind } from '@astro/messages/runtimes';
import { runtimeKinds } from '@astro/messages/runtimes';
import type { NodeAgentConfig } from '../../node-agent.config.js';
import { diskFreeMib, type Machine } from '../../probe/machine.js';
import { tryRuntimes } from '../tried-runtimes.js';
import { fails, works, type Finding } from './check.js';

const NODE_MAJOR_MIN = 22;
const DISK_FREE_MIN_MIB = 2_048;
/** Each lease has a handful of files, connections and threads open. */
const OPEN_FILES_MIN = 4_096;
const BYTES_PER_MIB = 1024 * 1024;

export function checkNodeVersion(version = process.versions.node): Finding {
  const check = { id: 'node-version', isNeeded: true };
  return Number(version.split('.')[0]) >= NODE_MAJOR_MIN
    ? works(check, `Node ${version}`)
    : fails(check, `Node ${version}`, `install Node ${NODE_MAJOR_MIN} or later`);
}

export async function checkDisk(config: NodeAgentConfig): Promise<Finding> {
  const check = { id: 'disk-space', isNeeded: true };
  const folder = config.AGENT_STATE_DIR;
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    const { message } = error as Error;
    return fails(check, message, `let the agent's account write in ${folder}, or set AGENT_STATE_DIR`);
  }
  const freeMib = await diskFreeMib(folder);
  const neededMib = Math.max(DISK_FREE_MIN_MIB, config.CONTENT_CACHE_MIB);
  return freeMib >= neededMib
    ? works(check, `${freeMib} MiB are free in ${folder}`)
    : fails(
        check,
        `${freeMib} MiB are free in ${folder}`,
        `free ${neededMib} MiB, or lower CONTENT_CACHE_MIB`,
      );
}

export function checkMemory({ OFFER_MEMORY_MIB: offered }: NodeAgentConfig): Finding {
  const check = { id: 'memory', isNeeded: false };
  const freeMib = Math.floor(freemem() / BYTES_PER_MIB);
  const found = `${offered} MiB are offered, ${freeMib} MiB are free`;
  return freeMib >= offered
    ? works(check, found)
    : fails(check, found, 'end what else uses memory, or lower OFFER_MEMORY_MIB');
}

export async function checkOpenFiles(): Promise<Finding> {
  const check = { id: 'open-files', isNeeded: true };
  const limits = await readFile('/proc/self/limits', 'utf8').catch(() => '');
  const soft = /^Max open files\s+(\S+)/m.exec(limits)?.[1];
  if (soft === undefined) return works(check, 'this system names no limit');
  return soft === 'unlimited' || Number(soft) >= OPEN_FILES_MIN
    ? works(check, `${soft} files may be open`)
    : fails(check, `${soft} files may be open`, `raise it: ulimit -n ${OPEN_FILES_MIN}, or LimitNOFILE=`);
}

/** A port that is taken by the running agent is taken by the right one. */
export async function checkPort({ HTTP_HOST: host, HTTP_PORT: port }: NodeAgentConfig): Promise<Finding> {
  const check = { id: 'http-port', isNeeded: true };
  const taken = await new Promise<string | undefined>(resolve => {
    const server = createServer()
      .once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
      .listen(port, host, () => server.close(() => resolve(undefined)));
  });
  if (taken === undefined) return works(check, `${host}:${port} is free for the agent`);
  if (await isAgent(host, port)) return works(check, `the agent answers on ${host}:${port}`);
  return fails(check, `${host}:${port} cannot be listened on: ${taken}`, 'set HTTP_PORT to another port');
}

const isAgent = (host: string, port: number): Promise<boolean> =>
  fetch(`http://${host}:${port}/health/live`, { signal: AbortSignal.timeout(2_000) }).then(
    ({ ok }) => ok,
    () => false,
  );

/** Each runtime is tried, those too that are not allowed: their operator may want to know that they would work. */
export async function checkRuntimes(config: NodeAgentConfig, machine: Machine): Promise<readonly Finding[]> {
  return (await tryRuntimes(config, machine, runtimeKinds)).map(({ kind, found }) => {
    const check = { id: `runtime-${kind}`, isNeeded: config.RUNTIMES.includes(kind) };
    return found.isAvailable
      ? works(check, `works: ${found.version}`)
      : fails(check, found.reason, adviceOn[kind]);
  });
}

const adviceOn: Readonly<Record<RuntimeKind, string>> = {
  wasm: 'run the agent on the Node version that the repository pins',
  process:
    'install bubblewrap (apt install bubblewrap), or name it in BUBBLEWRAP, or take process out of RUNTIMES',
  container: 'start an engine, or name its socket in CONTAINER_ENGINE, or take container out of RUNTIMES',
};

export function checkDevices({ accelerators, problems, processor }: Machine): readonly Finding[] {
  const check = { id: 'devices', isNeeded: false };
  const names = accelerators.map(({ kind, model }) => `${kind} ${model}`);
  const cpu = `${processor.cores} cores of ${processor.model}`;
  const found =
    names.length > 0 ? `${cpu}; ${names.join(', ')}` : `${cpu}; no GPU, NPU or FPGA is known here`;
  if (problems.length === 0) return [works(check, found)];
  return problems.map(problem =>
    fails(check, problem, 'repair the driver: its own tool must list the device'),
  );
}
