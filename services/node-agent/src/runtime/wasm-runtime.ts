import type { Assignment } from '@astro/messages/agent';
import type { FinishedRun } from '../sandbox/program-run.js';
import { Sandbox } from '../sandbox/sandbox.js';
import type { TaskFiles, TaskRuntime } from './task-runtime.js';

/** Programs in WebAssembly, each in a sandbox of its own. Random numbers follow from the task, not from the node. */
export class WasmRuntime implements TaskRuntime {
  readonly #sandbox = new Sandbox();

  warm(): void {
    this.#sandbox.warm();
  }

  run({ taskId, args, program }: Assignment, files: TaskFiles, signal: AbortSignal): Promise<FinishedRun> {
    const { timeLimitMs, memoryLimitMib, outputLimitBytes } = program;
    const limits = { timeLimitMs, memoryLimitMib, outputLimitBytes };
    return this.#sandbox.run({ ...files, args, limits, seed: taskId }, signal);
  }

  close(): Promise<void> {
    return this.#sandbox.close();
  }
}
