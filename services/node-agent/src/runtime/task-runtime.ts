import type { Assignment } from '@astro/messages/agent';
import type { NamedBytes, ProgramResult } from '../sandbox/program-run.js';

export type TaskFiles = {
  readonly program: Uint8Array;
  readonly inputs: readonly NamedBytes[];
};

/** Executes the program of an assignment within the limits that it sets. */
export interface TaskRuntime {
  /**
   * @throws the signal's reason when it aborts; another Error when the node, not the program, is at fault
   */
  run(assignment: Assignment, files: TaskFiles, signal: AbortSignal): Promise<ProgramResult>;
}

export const TASK_RUNTIME = Symbol('task runtime');
