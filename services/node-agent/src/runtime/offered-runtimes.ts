import type { Log } from '@astro/jetstream/log';
import type { Assignment } from '@astro/messages/agent';
import { neededRuntime, type OfferedRuntime } from '@astro/messages/runtimes';
import type { FinishedRun } from '../sandbox/program-run.js';
import type { Follower, ServerRun, TaskFiles, TaskRunner, TaskRuntime } from './task-runtime.js';

/** The runtimes that work on this machine. What its operator allowed and does not work is told, and not offered. */
export class OfferedRuntimes implements TaskRunner {
  readonly #offered = new Map<OfferedRuntime, TaskRuntime>();
  readonly #runtimes: readonly TaskRuntime[];

  private constructor(runtimes: readonly TaskRuntime[]) {
    this.#runtimes = runtimes;
  }

  /** @throws Error when none works: such a node has nothing to offer */
  static async probe(runtimes: readonly TaskRuntime[], log: Log): Promise<OfferedRuntimes> {
    const offered = new OfferedRuntimes(runtimes);
    for (const runtime of runtimes) {
      const { kind } = runtime;
      const found = await runtime.available();
      if (!found.isAvailable) {
        log.warn('a runtime is not available, and not offered', { runtime: kind, reason: found.reason });
        continue;
      }
      const { version, hasNetwork, hasServers = false } = found;
      log.info('a runtime is offered', { runtime: kind, version, hasNetwork, hasServers });
      offered.#offered.set(kind, runtime);
      if (hasNetwork && kind !== 'wasm') offered.#offered.set(`${kind}+network`, runtime);
      if (hasServers && kind !== 'wasm') offered.#offered.set(`${kind}+server`, runtime);
    }
    if (offered.#offered.size === 0) throw new Error('no runtime is available on this machine');
    return offered;
  }

  get names(): readonly OfferedRuntime[] {
    return [...this.#offered.keys()];
  }

  async run(
    assignment: Assignment,
    files: TaskFiles,
    signal: AbortSignal,
    follower?: Follower,
    server?: ServerRun,
  ): Promise<FinishedRun> {
    const { program, replica } = assignment;
    const needed = neededRuntime(program, replica?.server !== undefined);
    const runtime = this.#offered.get(needed);
    if (!runtime) throw new Error(`${needed} is not offered by this node`);
    return runtime.run(assignment, files, signal, follower, server);
  }

  async close(): Promise<void> {
    for (const runtime of this.#runtimes) await runtime.close();
  }
}
