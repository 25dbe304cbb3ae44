import type { Assignment } from '@astro/messages/agent';
import type { FinishedRun } from '../sandbox/program-run.js';
import { Sandbox } from '../sandbox/sandbox.js';
import type { Availability, Follower, TaskFiles, TaskRuntime } from './task-runtime.js';

/** Programs in WebAssembly, each in a sandbox of its own. Random numbers follow from the task, not from the node. */
export class WasmRuntime implements TaskRuntime {
  readonly kind = 'wasm';
  readonly #sandbox = new Sandbox();

  /** The engine is part of the agent; a worker stands ready from now on. */
  available(): Promise<Availability> {
    this.#sandbox.warm();
    return Promise.resolve({ isAvailable: true, version: `V8 ${process.versions.v8}`, hasNetwork: false });
  }

  run(
    { taskId, args, program, checkpoints }: Assignment,
    { checkpoint: latest, ...files }: TaskFiles,
    signal: AbortSignal,
    follower?: Follower,
  ): Promise<FinishedRun> {
    const { timeLimitMs, memoryLimitMib, outputLimitBytes, fuelLimit } = program;
    const fuel = fuelLimit === undefined ? {} : { fuelLimit };
    const limits = { timeLimitMs, memoryLimitMib, outputLimitBytes, ...fuel };
    const kept = checkpoints && follower && { ...checkpoints, ...(latest && { latest }), follower };
    return this.#sandbox.run({ ...files, args, limits, seed: taskId }, signal, {
      kept,
      hear: follower?.write.bind(follower),
    });
  }

  close(): Promise<void> {
    return this.#sandbox.close();
  }
}
