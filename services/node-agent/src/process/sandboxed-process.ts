import { execFile, spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { constants } from 'node:fs';
import { access, open, readFile, type FileHandle } from 'node:fs/promises';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Follower } from '../runtime/task-runtime.js';
import { Tail } from '../sandbox/tail.js';
import { inheritedFiles } from './inherited-files.js';

const run = promisify(execFile);

/** A sandbox that has not been put together by then never will; the machine is at fault, not the program. */
const SET_UP_TIMEOUT_MS = 30_000;
const LOOK_AGAIN_MS = 1;
/** The kernel ends what is left of a sandbox with its first process, and takes a moment to. */
const END_TIMEOUT_MS = 30_000;
const STATUS_BYTES_MAX = 4_096;

/** Streams that bubblewrap is given beside the standard three. */
const BLOCK_FD = 3;
const STATUS_FD = 4;
const FILTER_FD = 5;
const CHECKPOINT_FD = 6;

export type Launch = {
  readonly command: readonly [file: string, ...args: readonly string[]];
  readonly userId: number | undefined;
  /** A folder that exists in the finished sandbox, and surely not outside. */
  readonly marker: string;
  /** With the filter of system calls. */
  readonly filterFile: string;
  /** With what the program continues from. */
  readonly checkpointFile: string | undefined;
  readonly follower: Follower | undefined;
};

export const streamArguments = [
  ...['--block-fd', String(BLOCK_FD)],
  ...['--json-status-fd', String(STATUS_FD)],
  ...['--seccomp', String(FILTER_FD)],
];

/** The program may replace it, so that it is a file of the sandbox's own. */
export const checkpointArguments = ['--file', String(CHECKPOINT_FD), '/checkpoint/latest'];

/**
 * A sandbox that stands and waits, so that limits are set before its program begins. Its first process and all that
 * comes of it are one namespace: they end together.
 */
export class SandboxedProcess {
  /** The exit code of the program; undefined when a signal ended bubblewrap itself. */
  readonly exited: Promise<number | undefined>;
  readonly #child: ChildProcess;
  readonly #tails: { readonly stdout: Tail; readonly stderr: Tail };
  readonly #procFolder: FileHandle;

  private constructor(
    child: ChildProcess,
    tails: { readonly stdout: Tail; readonly stderr: Tail },
    readonly processId: number,
    procFolder: FileHandle,
  ) {
    this.#child = child;
    this.#tails = tails;
    this.#procFolder = procFolder;
    this.exited = exitOf(child);
  }

  /** @throws Error with what bubblewrap said when the sandbox does not come to be */
  static async prepare(launch: Launch): Promise<SandboxedProcess> {
    const inherited = await inheritedFiles();
    // Opened anew each time: who inherits an open file reads on where the one before has stopped.
    const filter = await open(launch.filterFile);
    const nothing = await open('/dev/null');
    const checkpoint = await open(launch.checkpointFile ?? '/dev/null');
    try {
      return await SandboxedProcess.#start(
        launch,
        streams([filter.fd, checkpoint.fd], inherited, nothing.fd),
      );
    } finally {
      await checkpoint.close();
      await nothing.close();
      await filter.close();
    }
  }

  static async #start(
    { command, userId, marker, follower }: Launch,
    stdio: StdioOptions,
  ): Promise<SandboxedProcess> {
    const [file, ...args] = command;
    const env = { PATH: process.env.PATH };
    const child = spawn(file, args, { env, stdio, ...asUser(userId) });
    const tails = {
      stdout: tailOf(child.stdout as Readable, bytes => follower?.write('stdout', bytes)),
      stderr: tailOf(child.stderr as Readable, bytes => follower?.write('stderr', bytes)),
    };
    // Whoever has nothing left to read from it has ended, which is told elsewhere.
    (child.stdio[BLOCK_FD] as Writable).on('error', () => undefined);
    const ended = exitOf(child).then(
      () => Promise.reject(new Error(`the sandbox was not set up: ${tails.stderr.text.trim()}`)),
      (error: unknown) => Promise.reject(new Error('bubblewrap was not started', { cause: error })),
    );
    try {
      const processId = await Promise.race([ended, firstProcess(child)]);
      const procFolder = await open(`/proc/${processId}`, constants.O_RDONLY | constants.O_DIRECTORY);
      const sandbox = new SandboxedProcess(child, tails, processId, procFolder);
      await Promise.race([ended, sandbox.#completed(marker)]).catch(async (error: unknown) => {
        await procFolder.close();
        throw error;
      });
      return sandbox;
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
  }

  get output(): { readonly stdoutTail: string; readonly stderrTail: string } {
    return { stdoutTail: this.#tails.stdout.text, stderrTail: this.#tails.stderr.text };
  }

  /** How the program's folder for outputs is reached: while this is open, also after its end. */
  async openFolder(path: string): Promise<FileHandle> {
    return open(`${pathOf(this.#procFolder)}/root${path}`, constants.O_RDONLY | constants.O_DIRECTORY);
  }

  /** Of the first process; those that it makes inherit them. A user may lower what is his own, root not always. */
  async limit(limits: readonly string[], userId: number | undefined): Promise<void> {
    const options = { timeout: SET_UP_TIMEOUT_MS, ...asUser(userId) };
    await run('prlimit', ['--pid', String(this.processId), ...limits], options);
  }

  begin(): void {
    (this.#child.stdio[BLOCK_FD] as Writable).end('\n');
  }

  /** Asks the program to end; the sandbox's first process only waits for it. */
  async terminate(): Promise<void> {
    const children = await readFile(
      `${pathOf(this.#procFolder)}/task/${this.processId}/children`,
      'utf8',
    ).catch(() => '');
    const [program] = children.split(' ');
    if (program) signalled(Number(program), 'SIGTERM');
  }

  /** Ends every process in the sandbox. */
  kill(): void {
    // Bubblewrap waits for the first process: as long as it is there, the number means no other.
    if (!this.#hasEnded) signalled(this.processId, 'SIGKILL');
  }

  /** Resolves when not one process of the sandbox is left. */
  async gone(): Promise<void> {
    await this.exited;
    const deadlineMs = performance.now() + END_TIMEOUT_MS;
    while (await isThere(this.#procFolder)) {
      if (performance.now() > deadlineMs) throw new Error('the sandbox does not end');
      await sleep(LOOK_AGAIN_MS);
    }
  }

  async close(): Promise<void> {
    this.kill();
    await this.exited;
    await this.#procFolder.close();
  }

  /** Bubblewrap tells its first process before the sandbox around it is complete. */
  async #completed(marker: string): Promise<void> {
    const deadlineMs = performance.now() + SET_UP_TIMEOUT_MS;
    while (!(await exists(`${pathOf(this.#procFolder)}/root${marker}`))) {
      if (performance.now() > deadlineMs) throw new Error('the sandbox is not ready in time');
      if (this.#hasEnded) return;
      await sleep(LOOK_AGAIN_MS);
    }
  }

  get #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }
}

/** What was left to the agent is replaced by nothing; a number that is not named is not touched. */
function streams(given: readonly number[], inherited: readonly number[], nothingFd: number): StdioOptions {
  const stdio: (number | 'ignore' | 'pipe')[] = ['ignore', 'pipe', 'pipe', 'pipe', 'pipe', ...given];
  for (const fd of inherited.filter(fd => fd > CHECKPOINT_FD)) {
    while (stdio.length < fd) stdio.push('ignore');
    stdio[fd] = nothingFd;
  }
  return stdio;
}

function tailOf(stream: Readable, hear: (bytes: Uint8Array) => void): Tail {
  const tail = new Tail();
  stream.on('data', (data: Uint8Array) => {
    tail.write(data);
    hear(data);
  });
  return tail;
}

function firstProcess(child: ChildProcess): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  let told = '';
  (child.stdio[STATUS_FD] as Readable).on('data', (data: Uint8Array) => {
    if (told.length > STATUS_BYTES_MAX) return;
    told += new TextDecoder().decode(data);
    const processId = Number(/"child-pid": (\d+)/.exec(told)?.[1]);
    if (processId > 0) resolve(processId);
  });
  const timer = setTimeout(() => reject(new Error('bubblewrap does not answer')), SET_UP_TIMEOUT_MS);
  return promise.finally(() => clearTimeout(timer));
}

function exitOf(child: ChildProcess): Promise<number | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
  child.once('error', reject);
  child.once('close', code => resolve(code ?? undefined));
  promise.catch(() => undefined);
  return promise;
}

/** A process that nobody has waited for yet is no longer at work. */
async function isThere(procFolder: FileHandle): Promise<boolean> {
  const stat = await readFile(`${pathOf(procFolder)}/stat`, 'utf8').catch(() => '');
  const state = /^\d+ \(.*\) (\w)/s.exec(stat)?.[1];
  return state !== undefined && state !== 'Z' && state !== 'X';
}

const asUser = (userId: number | undefined) => (userId === undefined ? {} : { uid: userId, gid: userId });

export const pathOf = ({ fd }: FileHandle): string => `/proc/self/fd/${fd}`;

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

function signalled(processId: number, signal: NodeJS.Signals): void {
  try {
    process.kill(processId, signal);
  } catch (error) {
    // It ended by itself.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
