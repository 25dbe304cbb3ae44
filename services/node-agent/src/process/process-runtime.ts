import { execFile } from 'node:child_process';
import { writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { reasonOf } from '@astro/jetstream/log';
import type { Assignment } from '@astro/messages/agent';
import { canReachPorts } from '../endpoint/program-port.js';
import { collectOutputs, leftOutNote } from '../runs/collect-outputs.js';
import { CheckpointWatch, LATEST_CHECKPOINT } from '../runs/checkpoint-watch.js';
import { agentTag, RunFolders, type RunFolder } from '../runs/run-folders.js';
import {
  type Availability,
  cpuMillisOf,
  faulted,
  type Follower,
  type ServerRun,
  OPEN_FILES_MAX,
  PROCESSES_MAX,
  STOP_GRACE_MS,
  type TaskFiles,
  type TaskRuntime,
} from '../runtime/task-runtime.js';
import type { FinishedRun } from '../sandbox/program-run.js';
import { bubblewrapArguments, checkpointRoomBytes, markerOf, outputRoomBytes } from './bubblewrap.js';
import { type ControlGroup, ControlGroups } from './control-groups.js';
import { rootArguments } from './root-folder.js';
import { pathOf, SandboxedProcess } from './sandboxed-process.js';
import { isFilterKnown, syscallFilter } from './syscall-filter.js';

const execute = promisify(execFile);

const BYTES_PER_MIB = 1024 * 1024;
const VERSION_TIMEOUT_MS = 10_000;
const TRIAL_LIMITS = { timeLimitMs: 30_000, memoryLimitMib: 64, outputLimitBytes: 4_096 };

export type ProcessOptions = {
  readonly bubblewrap: string;
  readonly stateDir: string;
  /** A folder with a root file system; else the least of the machine's own. */
  readonly rootFolder: string | undefined;
  /** Its file; programs that need a network run in it, and no others. */
  readonly networkNamespace: string | undefined;
  /** `each`: what a control group would count together is limited for each process by itself. */
  readonly limits: 'together' | 'each';
  /** As root: sandboxes run as this user and those after it, each at a time as another one. */
  readonly firstUserId: number;
};

/** What stands once it was tried. */
type Ground = {
  readonly folders: RunFolders;
  readonly groups: ControlGroups | undefined;
  readonly filterFile: string;
};

/** Executable files in bubblewrap: namespaces, a filter of system calls, and limits that the kernel keeps. */
export class ProcessRuntime implements TaskRuntime {
  readonly kind = 'process';
  readonly #options: ProcessOptions;
  readonly #userIds = new Set<number>();
  #ground: Ground | undefined;

  constructor(options: ProcessOptions) {
    this.#options = options;
  }

  async available(): Promise<Availability> {
    const { networkNamespace, limits } = this.#options;
    const hasNetwork = networkNamespace !== undefined;
    if (!isFilterKnown(process.arch))
      return unavailable(`system calls of ${process.platform} on ${process.arch} are not known here`);
    if (hasNetwork && !isRoot())
      return unavailable('only root may enter PROCESS_NETWORK_NAMESPACE: run the agent as root, or unset it');
    try {
      const version = await this.#version();
      this.#ground ??= await this.#prepareGround();
      await this.#trial(hasNetwork);
      const { groups } = this.#ground;
      const kept = limits === 'each' ? 'limits of each process' : `control groups ${groups?.version}`;
      const hasServers = await canReachPorts();
      return { isAvailable: true, version: `${version}, ${kept}`, hasNetwork, hasServers };
    } catch (error) {
      return unavailable(reasonOf(error));
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
    if (!isExecutable(files.program)) return faulted('program_invalid');
    const { folders, groups } = this.#standing();
    const { memoryLimitMib, outputLimitBytes } = assignment.program;
    const userId = this.#takeUserId();
    let folder: RunFolder | undefined;
    let group: ControlGroup | undefined;
    try {
      folder = await folders.make(files, userId);
      // Outputs and checkpoints lie in memory too, and come on top of what the program was given.
      const kept = assignment.checkpoints ? checkpointRoomBytes(assignment.checkpoints.sizeLimitBytes) : 0;
      const memoryBytes = memoryLimitMib * BYTES_PER_MIB + outputRoomBytes(outputLimitBytes) + kept;
      const cpuMillis = cpuMillisOf(assignment);
      group = await groups?.make(folder.id, { memoryBytes, processes: PROCESSES_MAX, cpuMillis });
      const continues = files.checkpoint !== undefined;
      return await this.#runIn({ assignment, folder, group, userId, continues, follower, server }, signal);
    } finally {
      await group?.remove();
      await folder?.remove();
      if (userId !== undefined) this.#userIds.delete(userId);
    }
  }

  async close(): Promise<void> {
    const ground = this.#ground;
    this.#ground = undefined;
    await ground?.groups?.close();
    await ground?.folders.close();
  }

  async #runIn(place: Place, signal: AbortSignal): Promise<FinishedRun> {
    const sandbox = await SandboxedProcess.prepare(await this.#launchOf(place));
    let output: FileHandle | undefined;
    let kept: Kept | undefined;
    try {
      await place.group?.add(sandbox.processId);
      await sandbox.limit(this.#limitsOf(place), place.userId);
      output = await sandbox.openFolder('/output');
      kept = await watchCheckpoints(sandbox, place);
      const { timeLimitMs, outputLimitBytes } = place.assignment.program;
      place.server?.started(sandbox.processId);
      const end = await untilItEnds(
        sandbox,
        place.server ? undefined : timeLimitMs,
        signal,
        place.follower?.notice,
      );
      await sandbox.gone();
      signal.throwIfAborted();
      if (end === 'late') return faulted('program_timed_out', sandbox.output);
      const collected = await collectOutputs(pathOf(output), outputLimitBytes);
      if (collected.isTooLarge) return faulted('output_too_large', sandbox.output);
      const { stdoutTail, stderrTail } = sandbox.output;
      const tails = { stdoutTail, stderrTail: stderrTail + leftOutNote(collected.leftOut) };
      if (end === 0) return { fault: 'none', outputs: collected.outputs, ...tails };
      const wasOutOfMemory = await place.group?.wasOutOfMemory();
      return faulted(wasOutOfMemory ? 'program_out_of_memory' : 'program_trapped', tails);
    } finally {
      await output?.close();
      await sandbox.close();
      await kept?.close();
    }
  }

  async #launchOf({ assignment, folder, userId, continues, follower, server }: Place) {
    const { program, args } = assignment;
    const checkpoints = assignment.checkpoints && { ...assignment.checkpoints, continues };
    const { bubblewrap, rootFolder, networkNamespace } = this.#options;
    const hasNetwork = program.needsNetwork === true;
    if (hasNetwork && networkNamespace === undefined)
      throw new Error('there is no network for programs here');
    const root = await rootArguments(rootFolder, hasNetwork);
    const { memoryLimitMib, outputLimitBytes } = program;
    const kept = { checkpoints, port: server?.port };
    const plan = { run: folder, args, memoryLimitMib, outputLimitBytes, hasNetwork, ...kept };
    const sandboxed = [bubblewrap, ...bubblewrapArguments(root, plan)] as const;
    const { filterFile } = this.#standing();
    const checkpointFile = continues ? join(folder.path, 'checkpoint', LATEST_CHECKPOINT) : undefined;
    const launch = { marker: markerOf(folder), filterFile, checkpointFile, follower };
    if (!hasNetwork) return { ...launch, command: sandboxed, userId };
    // Only root may enter a namespace that is not its own, and becomes another user on the way.
    const user = ['--setuid', String(userId), '--setgid', String(userId)];
    const command = ['nsenter', `--net=${networkNamespace}`, ...user, '--', ...sandboxed] as const;
    return { ...launch, command, userId: undefined };
  }

  #limitsOf({ assignment }: Place): readonly string[] {
    const { memoryLimitMib, outputLimitBytes } = assignment.program;
    const memoryBytes = memoryLimitMib * BYTES_PER_MIB;
    return [
      `--nproc=${PROCESSES_MAX}`,
      `--nofile=${OPEN_FILES_MAX}`,
      `--fsize=${Math.max(memoryBytes, outputRoomBytes(outputLimitBytes))}`,
      ...['--core=0', '--memlock=65536', '--msgqueue=0'],
      // Not of the address space, of which some interpreters reserve far more than they use.
      ...(this.#options.limits === 'each' ? [`--data=${memoryBytes}`] : []),
    ];
  }

  async #version(): Promise<string> {
    const { bubblewrap } = this.#options;
    try {
      const { stdout } = await execute(bubblewrap, ['--version'], { timeout: VERSION_TIMEOUT_MS });
      return stdout.trim();
    } catch (error) {
      const advice = 'install bubblewrap, or name it in BUBBLEWRAP';
      throw new Error(`${bubblewrap} cannot be executed: ${advice}`, { cause: error });
    }
  }

  async #prepareGround(): Promise<Ground> {
    const { stateDir, limits } = this.#options;
    const folders = await RunFolders.open('process', stateDir);
    const groups = limits === 'together' ? await controlGroupsFor(stateDir) : undefined;
    const filterFile = join(folders.path, 'syscall-filter');
    await writeFile(filterFile, syscallFilter(process.arch));
    return { folders, groups, filterFile };
  }

  async #trial(hasNetwork: boolean): Promise<void> {
    const program = new TextEncoder().encode('#!/bin/sh\nexit 0\n');
    const assignment = trialOf(hasNetwork);
    const { fault, stderrTail } = await this.run(
      assignment,
      { program, inputs: [] },
      new AbortController().signal,
    );
    if (fault !== 'none') throw new Error(`a trial ended as ${fault}: ${stderrTail.trim()}`);
  }

  #standing(): Ground {
    if (!this.#ground) throw new Error('programs of this kind are not run here');
    return this.#ground;
  }

  /** Two programs of one user could count against each other's limits. */
  #takeUserId(): number | undefined {
    if (!isRoot()) return undefined;
    let userId = this.#options.firstUserId;
    while (this.#userIds.has(userId)) userId += 1;
    this.#userIds.add(userId);
    return userId;
  }
}

type Place = {
  readonly assignment: Assignment;
  readonly folder: RunFolder;
  readonly group: ControlGroup | undefined;
  readonly userId: number | undefined;
  /** Whether there is a checkpoint to continue from. */
  readonly continues: boolean;
  readonly follower: Follower | undefined;
  readonly server: ServerRun | undefined;
};

type Kept = { close(): Promise<void> };

/** The folder is reached as long as its handle is open, also after the program's end. */
async function watchCheckpoints(
  sandbox: SandboxedProcess,
  { assignment: { checkpoints }, follower }: Place,
): Promise<Kept | undefined> {
  if (!checkpoints || !follower) return undefined;
  const folder = await sandbox.openFolder('/checkpoint');
  const watch = new CheckpointWatch(pathOf(folder), checkpoints.sizeLimitBytes, follower);
  return { close: () => watch.close().finally(() => folder.close()) };
}

/** The exit code, or that the time was over. Whoever is to stop is asked first, and once more with its notice. */
async function untilItEnds(
  sandbox: SandboxedProcess,
  timeLimitMs: number | undefined,
  signal: AbortSignal,
  notice: AbortSignal | undefined,
): Promise<number | 'late' | undefined> {
  let isLate = false;
  const end = () => {
    isLate = true;
    sandbox.kill();
  };
  const late = timeLimitMs === undefined ? undefined : setTimeout(end, timeLimitMs);
  let kill: NodeJS.Timeout | undefined;
  const stop = () => {
    kill = setTimeout(() => sandbox.kill(), STOP_GRACE_MS);
    sandbox.terminate().catch(() => sandbox.kill());
  };
  const tell = () => {
    sandbox.terminate().catch(() => undefined);
  };
  signal.addEventListener('abort', stop, { once: true });
  notice?.addEventListener('abort', tell, { once: true });
  if (signal.aborted) stop();
  else if (notice?.aborted) tell();
  sandbox.begin();
  try {
    const code = await sandbox.exited;
    return isLate ? 'late' : code;
  } finally {
    clearTimeout(late);
    clearTimeout(kill);
    signal.removeEventListener('abort', stop);
    notice?.removeEventListener('abort', tell);
  }
}

async function controlGroupsFor(stateDir: string): Promise<ControlGroups> {
  try {
    return await ControlGroups.open(`astro-${agentTag(stateDir)}`);
  } catch (error) {
    throw new Error(
      `no control group can be made (${reasonOf(error)}): run the agent as root or delegate a group to it, ` +
        'or accept limits for each process by itself with PROCESS_LIMITS=each',
      { cause: error },
    );
  }
}

/** A script names its interpreter in its first line; the other form is the one of Linux. */
function isExecutable(program: Uint8Array): boolean {
  const starts = (...bytes: readonly number[]) => bytes.every((byte, index) => program[index] === byte);
  return starts(0x23, 0x21) || starts(0x7f, 0x45, 0x4c, 0x46);
}

const trialOf = (needsNetwork: boolean): Assignment => ({
  poolId: 'trial',
  leaseId: 'trial',
  jobId: 'trial',
  taskId: 'trial',
  fencingToken: 0,
  deadline: new Date(0),
  program: { cid: '', ...TRIAL_LIMITS, runtime: 'process', needsNetwork },
  inputs: [],
  args: [],
  attestations: [],
});

const isRoot = () => process.getuid?.() === 0;
const unavailable = (reason: string): Availability => ({ isAvailable: false, reason });
