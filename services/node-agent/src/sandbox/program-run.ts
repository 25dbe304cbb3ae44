import type { Fault } from '@astro/messages/scheduling';

export type NamedBytes = { readonly name: string; readonly bytes: Uint8Array };

export type ProgramLimits = {
  readonly timeLimitMs: number;
  readonly memoryLimitMib: number;
  /** Total of the bytes below `/output`. */
  readonly outputLimitBytes: number;
  /** Instructions that may be executed; without it only time counts. */
  readonly fuelLimit?: number;
};

export type ProgramRun = {
  readonly program: Uint8Array;
  readonly inputs: readonly NamedBytes[];
  readonly args: readonly string[];
  readonly limits: ProgramLimits;
  /** The random numbers that the program sees follow from it. */
  readonly seed: string;
  /** Present: the program finds `/checkpoint`. */
  readonly checkpoints?: CheckpointRun;
};

export type CheckpointRun = {
  readonly sizeLimitBytes: number;
  /** What the program continues from. */
  readonly latest?: Uint8Array;
  /** Whether the agent waits for a checkpoint, and whether the program is to end: two numbers that both sides see. */
  readonly flags: SharedArrayBuffer;
};

export const flagAt = { isWanted: 0, isToStop: 1 } as const;
export const flagsBytes = 2 * Int32Array.BYTES_PER_ELEMENT;

/** What every honest node gets from the same run; a faulted run has no outputs. */
export type ProgramResult = {
  readonly fault: Exclude<Fault, 'unspecified'>;
  readonly outputs: readonly NamedBytes[];
};

/** The end of what a program wrote to its standard streams: for people who read logs, no part of the result. */
export type ProgramTails = { readonly stdoutTail: string; readonly stderrTail: string };

export type FinishedRun = ProgramResult & ProgramTails;

export type WorkerMessage =
  | { readonly type: 'ready' }
  | { readonly type: 'written'; readonly source: 'stdout' | 'stderr'; readonly bytes: Uint8Array }
  | { readonly type: 'checkpoint'; readonly bytes: Uint8Array }
  | { readonly type: 'finished'; readonly run: FinishedRun }
  | { readonly type: 'broken'; readonly reason: string };
