import { join } from 'node:path';
import type { Assignment } from '@astro/messages/agent';
import type { RuntimeKind } from '@astro/messages/runtimes';
import type { FinishedRun, NamedBytes } from '../sandbox/program-run.js';

export type TaskFiles = {
  /** No bytes where the program is an image. */
  readonly program: Uint8Array;
  readonly inputs: readonly NamedBytes[];
  /** What `/checkpoint/latest` holds at first, of a program that continues. */
  readonly checkpoint?: Uint8Array;
};

export type LogSource = 'stdout' | 'stderr';

/** Follows a program; what is said of checkpoints counts where its job has them. */
export type Follower = {
  /** As it is written, in pieces of any size. */
  write(source: LogSource, bytes: Uint8Array): void;
  /** Aborts when the program is to keep its state once more and end. */
  readonly notice: AbortSignal;
  /** Resolves when the bytes are taken care of. Called again only then. */
  keep(bytes: Uint8Array): Promise<void>;
  /** Resolves when it is time for another checkpoint. */
  untilNext(): Promise<void>;
};

/** What is to be known of a server's run, which has no limit of time. */
export type ServerRun = {
  readonly port: number;
  /** The program begins, in the network of this process. */
  started(processId: number): void;
};

/** Executes the program of an assignment within the limits that it sets. */
export interface TaskRunner {
  /**
   * When the signal aborts, the program is told to end, and ended a moment later.
   * @param follower has all that it is told of when the run is over, however that ends
   * @throws the signal's reason when it aborts; another Error when the node, not the program, is at fault
   */
  run(
    assignment: Assignment,
    files: TaskFiles,
    signal: AbortSignal,
    follower?: Follower,
    server?: ServerRun,
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
