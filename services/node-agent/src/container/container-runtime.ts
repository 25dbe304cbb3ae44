import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import Docker from 'dockerode';
import { reasonOf } from '@astro/jetstream/log';
import type { Assignment } from '@astro/messages/agent';
import { canReachPorts } from '../endpoint/program-port.js';
import { collectOutputs, leftOutNote } from '../runs/collect-outputs.js';
import { CheckpointWatch } from '../runs/checkpoint-watch.js';
import { agentTag, RunFolders } from '../runs/run-folders.js';
import {
  type Availability,
  cpuMillisOf,
  faulted,
  type Follower,
  type ServerRun,
  STOP_GRACE_MS,
  type TaskFiles,
  type TaskRuntime,
} from '../runtime/task-runtime.js';
import type { FinishedRun } from '../sandbox/program-run.js';
import { tailsOf } from './container-logs.js';
import { AGENT_LABEL, containerRequest } from './container-request.js';
import { hearContainer } from './hear-container.js';
import { untilTooLarge } from './output-watch.js';

/** `nobody`: the agent's root is no user of a container. */
const NOBODY = 65_534;
const NOT_FOUND = 404;

export type ContainerOptions = {
  /** Socket of the engine. */
  readonly engine: string;
  readonly stateDir: string;
  /** Of the engine; containers that need a network are in it, and no others. */
  readonly network: string | undefined;
  /** Unique ids of the node's devices, in the order of its inventory; undefined where a device has none. */
  readonly deviceIds: readonly (string | undefined)[];
};

type Order = {
  readonly assignment: Assignment;
  readonly signal: AbortSignal;
  readonly follower: Follower | undefined;
  readonly server: ServerRun | undefined;
};

type End = 'too large' | 'late' | 'exited';

/** Images in containers of an engine on this machine, each a container of its own that is removed afterwards. */
export class ContainerRuntime implements TaskRuntime {
  readonly kind = 'container';
  readonly #options: ContainerOptions;
  readonly #engine: Docker;
  #folders: RunFolders | undefined;

  constructor(options: ContainerOptions) {
    this.#options = options;
    this.#engine = new Docker({ socketPath: options.engine });
  }

  async available(): Promise<Availability> {
    const { engine, network } = this.#options;
    try {
      const { Version: version } = await this.#engine.version();
      const { OSType: system, SecurityOptions: guards = [] } = (await this.#engine.info()) as EngineInfo;
      if (system !== 'linux') return unavailable(`the engine runs ${system} containers, not those of linux`);
      if (!guards.some(guard => guard.includes('seccomp')))
        return unavailable('the engine filters no system calls: give it a kernel with seccomp');
      if (network !== undefined) await this.#engine.getNetwork(network).inspect();
      await this.#removeLeftOver();
      this.#folders ??= await RunFolders.open('container', this.#options.stateDir);
      const hasServers = await canReachPorts();
      return {
        ...{ isAvailable: true, version: `Docker ${version}` },
        ...{ hasNetwork: network !== undefined, hasServers },
      };
    } catch (error) {
      const advice = `start an engine, or name its socket in CONTAINER_ENGINE instead of ${engine}`;
      return unavailable(`${reasonOf(error)}: ${advice}`);
    }
  }

  async run(
    assignment: Assignment,
    files: TaskFiles,
    signal: AbortSignal,
    follower?: Follower,
    server?: ServerRun,
  ): Promise<FinishedRun> {
    signal.throwIfAborted();
    if (!this.#folders) throw new Error('images are not run here');
    const { image = '' } = assignment.program;
    const volumes = await this.#fetched(image, signal);
    const userId = ownUserId();
    const folder = await this.#folders.make(files, undefined);
    let container: Docker.Container | undefined;
    try {
      // Nobody but the engine and the agent gets as far as to these.
      await chmod(join(folder.path, 'input'), 0o755);
      for (const name of ['output', 'checkpoint']) await chmod(join(folder.path, name), 0o777);
      const port = server?.port;
      const plan = { ...this.#planOf(assignment), image, volumes, userId, folder: folder.path, port };
      container = await this.#engine.createContainer(containerRequest(plan));
      return await this.#runIn(container, folder.path, { assignment, signal, follower, server });
    } finally {
      await container?.remove({ force: true, v: true });
      await folder.remove();
    }
  }

  async close(): Promise<void> {
    await this.#folders?.close();
    this.#folders = undefined;
  }

  async #runIn(
    container: Docker.Container,
    folder: string,
    { assignment: { program, checkpoints }, signal, follower, server }: Order,
  ): Promise<FinishedRun> {
    const { outputLimitBytes } = program;
    const timeLimitMs = server ? undefined : program.timeLimitMs;
    const output = join(folder, 'output');
    const rooms = [{ folder: output, limitBytes: outputLimitBytes }];
    await container.start();
    if (server) server.started((await container.inspect()).State.Pid);
    if (follower) await hearContainer(container, follower);
    let kept: CheckpointWatch | undefined;
    if (checkpoints && follower) {
      const { sizeLimitBytes } = checkpoints;
      const checkpoint = join(folder, 'checkpoint');
      // Beside the last checkpoint there is room for the next.
      rooms.push({ folder: checkpoint, limitBytes: 2 * sizeLimitBytes });
      kept = new CheckpointWatch(checkpoint, sizeLimitBytes, follower);
    }
    const bounds = { rooms, timeLimitMs, notice: follower?.notice };
    const end = await untilItEnds(container, bounds, signal).finally(() => kept?.close());
    signal.throwIfAborted();
    const { State: state } = await container.inspect();
    const tails = tailsOf(await container.logs({ stdout: true, stderr: true }));
    if (end === 'late') return faulted('program_timed_out', tails);
    if (end === 'too large') return faulted('output_too_large', tails);
    const collected = await collectOutputs(output, outputLimitBytes);
    if (collected.isTooLarge) return faulted('output_too_large', tails);
    const stderrTail = tails.stderrTail + leftOutNote(collected.leftOut);
    if (state.ExitCode === 0) return { fault: 'none', outputs: collected.outputs, ...tails, stderrTail };
    return faulted(state.OOMKilled ? 'program_out_of_memory' : 'program_trapped', { ...tails, stderrTail });
  }

  #planOf(assignment: Assignment) {
    const { program, args } = assignment;
    const { network, stateDir } = this.#options;
    if (program.needsNetwork && network === undefined)
      throw new Error('there is no network for programs here');
    const { memoryLimitMib, outputLimitBytes } = program;
    return {
      args,
      memoryLimitMib,
      outputLimitBytes,
      cpuMillis: cpuMillisOf(assignment),
      network: program.needsNetwork ? network : undefined,
      deviceIds: this.#deviceIdsOf(assignment),
      agent: agentTag(stateDir),
      hasCheckpoints: assignment.checkpoints !== undefined,
    };
  }

  /** The processor is a device of the inventory too, and no engine is asked for it. */
  #deviceIdsOf({ share }: Assignment): readonly string[] {
    return (share?.devices ?? []).flatMap(index => this.#options.deviceIds[index] ?? []);
  }

  /** The engine checks the bytes by the digest. Answers the folders that the image declares as volumes. */
  async #fetched(image: string, signal: AbortSignal): Promise<readonly string[]> {
    const stored = this.#engine.getImage(image);
    try {
      await stored.inspect();
    } catch (error) {
      if ((error as { statusCode?: number }).statusCode !== NOT_FOUND) throw error;
      await this.#pull(image, signal);
    }
    const { Config: config } = await stored.inspect();
    return Object.keys(config.Volumes ?? {});
  }

  async #pull(image: string, abortSignal: AbortSignal): Promise<void> {
    const progress = await this.#engine.pull(image, { abortSignal });
    await new Promise<void>((resolve, reject) => {
      this.#engine.modem.followProgress(progress, error => (error ? reject(error) : resolve()));
    });
  }

  async #removeLeftOver(): Promise<void> {
    const label = [`${AGENT_LABEL}=${agentTag(this.#options.stateDir)}`];
    const left = await this.#engine.listContainers({ all: true, filters: { label } });
    for (const { Id: id } of left) await this.#engine.getContainer(id).remove({ force: true, v: true });
  }
}

type EngineInfo = { readonly OSType: string; readonly SecurityOptions?: readonly string[] };

type Bounds = {
  readonly rooms: readonly { readonly folder: string; readonly limitBytes: number }[];
  readonly timeLimitMs: number | undefined;
  readonly notice: AbortSignal | undefined;
};

/** Whoever is to stop is asked first; who takes too long or too much is ended. */
async function untilItEnds(container: Docker.Container, bounds: Bounds, signal: AbortSignal): Promise<End> {
  const ended = new AbortController();
  let end: End = 'exited';
  const killAs = (why: End) => {
    end = why;
    container.kill().catch(hasEnded);
  };
  const { timeLimitMs } = bounds;
  const late = timeLimitMs === undefined ? undefined : setTimeout(() => killAs('late'), timeLimitMs);
  const stop = () => {
    container.stop({ t: STOP_GRACE_MS / 1_000 }).catch(hasEnded);
  };
  const tell = () => {
    container.kill({ signal: 'SIGTERM' }).catch(hasEnded);
  };
  signal.addEventListener('abort', stop, { once: true });
  bounds.notice?.addEventListener('abort', tell, { once: true });
  if (signal.aborted) stop();
  else if (bounds.notice?.aborted) tell();
  const watching = Promise.all(
    bounds.rooms.map(async ({ folder, limitBytes }) => {
      if (await untilTooLarge(folder, limitBytes, ended.signal)) killAs('too large');
    }),
  );
  // It is awaited below, whenever it fails.
  watching.catch(() => undefined);
  try {
    await container.wait();
    return end;
  } finally {
    ended.abort();
    clearTimeout(late);
    signal.removeEventListener('abort', stop);
    bounds.notice?.removeEventListener('abort', tell);
    await watching;
  }
}

/** Or the engine is gone: both are told to whoever waits for the container. */
const hasEnded = () => undefined;

function ownUserId(): number {
  const userId = process.getuid?.() ?? 0;
  return userId === 0 ? NOBODY : userId;
}

const unavailable = (reason: string): Availability => ({ isAvailable: false, reason });
