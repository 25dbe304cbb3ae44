import { join } from 'node:path';
import type { Assignment } from '@astro/messages/agent';
import type { RuntimeKind } from '@astro/messages/runtimes';
import type { FinishedRun, NamedBytes } from '../sandbox/program-run.js';

export type TaskFiles = {
  /** No bytes where the program is an image. */
  readonly program: Uint8Array;
  readonly inputs: readonly NamedBytes[];
};

/** Who is told of a run while it goes on. */
export type Follower = {
  /** Of a server, which has no limit of time. */
  readonly port?: number;
  /** The program begins, in the network of this process. */
  started?(processId: number): void;
};

/** Executes the program of an assignment within the limits that it sets. */
export interface TaskRunner {
  /**
   * When the signal aborts, the program is told to end, and ended a moment later.
   * @throws the signal's reason when it aborts; another Error when the node, not the program, is at fault
   */
  run(
    assignment: Assignment,
    files: TaskFiles,
    signal: AbortSignal,
    follower?: Follower,
  ): Promise<FinishedRun>;
}

/** Whether a machine can run such programs; if not, why, and what its operator can do about it. */
export type Availability =
  | {
      readonly isAvailable: true;
      readonly version: string;
      readonly hasNetwork: boolean;
      readonly hasServers?: boolean;
    }
  | { readonly isAvailable: false; readonly reason: string };

/** One way to run programs, kept apart from the machine and from each other. */
export interface TaskRuntime extends TaskRunner {
  readonly kind: RuntimeKind;
  /** Tries it: what only looks available is not offered. Asked once, before the first run. */
  available(): Promise<Availability>;
  close(): Promise<void>;
}

/** Beside the limits that a program states. Threads count as processes. */
export const PROCESSES_MAX = 256;
export const OPEN_FILES_MAX = 1_024;
/** Where programs put what nobody keeps: a folder of each sandbox, not the machine's of that name. */
export const SCRATCH_FOLDER = join('/', 'tmp');
/** Between the word to end and the end. */
export const STOP_GRACE_MS = 2_000;

/** Leases told their share only later; a task had one processor then. */
export const cpuMillisOf = ({ share }: Assignment): number => share?.cpuMillis ?? 1_000;

export const faulted = (
  fault: FinishedRun['fault'],
  tails: Pick<FinishedRun, 'stdoutTail' | 'stderrTail'> = { stdoutTail: '', stderrTail: '' },
): FinishedRun => ({ fault, outputs: [], ...tails });
