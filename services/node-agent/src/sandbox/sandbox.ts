import { Worker } from 'node:worker_threads';
import { CheckpointsOfWorker, type KeptCheckpoints } from './checkpoints-of-worker.ts';
import type { FinishedRun, ProgramRun, WorkerMessage } from './program-run.ts';

/** A worker that has not loaded its code by then never will; the node is at fault, not the program. */
const START_TIMEOUT_MS = 30_000;

/** The worker's own heap: the program's memory, inputs and outputs lie outside it. */
const WORKER_LIMITS = { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 32, stackSizeMb: 4 };

const workerFile = import.meta.url.endsWith('.ts') ? './program.worker.ts' : './program.worker.js';

export type Followed = {
  readonly kept?: KeptCheckpoints | undefined;
  /** Told of what the program writes, as it does. */
  readonly hear?: ((source: 'stdout' | 'stderr', bytes: Uint8Array) => void) | undefined;
};

type Ready = { readonly worker: Worker; readonly ready: Promise<void> };

/**
 * Runs WebAssembly programs, each in a worker thread of its own that is ended afterwards. One worker stands ready,
 * so that an empty task does not pay for its start.
 */
export class Sandbox {
  #spare: Ready | undefined;
  #closed = false;

  /** Starts the spare worker; without it the first run starts one. */
  warm(): void {
    if (this.#closed) return;
    this.#spare ??= startWorker();
  }

  /**
   * @throws the signal's reason when it aborts; an Error when the sandbox itself failed, which is never the
   * program's doing.
   */
  async run(run: ProgramRun, signal: AbortSignal, { kept, hear }: Followed = {}): Promise<FinishedRun> {
    signal.throwIfAborted();
    const { worker, ready } = this.#spare ?? startWorker();
    this.#spare = undefined;
    // Beside this run, so that whoever comes right after it does not wait for the start either.
    this.warm();
    if (hear)
      worker.on('message', (message: WorkerMessage) => {
        if (message.type === 'written') hear(message.source, message.bytes);
      });
    const following = kept && new CheckpointsOfWorker(worker, kept);
    try {
      await untilAborted(ready, signal);
      return await finish(worker, following ? { ...run, checkpoints: following.run } : run, signal);
    } finally {
      await worker.terminate();
      this.warm();
      await following?.close();
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#spare?.worker.terminate();
    this.#spare = undefined;
  }
}

function startWorker(): Ready {
  const worker = new Worker(new URL(workerFile, import.meta.url), {
    env: {},
    execArgv: [],
    resourceLimits: WORKER_LIMITS,
  });
  worker.unref();
  const { promise: ready, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(
    () => reject(new Error('the sandbox worker did not start')),
    START_TIMEOUT_MS,
  ).unref();
  worker.once('message', () => resolve());
  worker.once('error', reject);
  worker.once('exit', () => reject(new Error('the sandbox worker ended before it was ready')));
  ready.then(
    () => clearTimeout(timer),
    () => clearTimeout(timer),
  );
  return { worker, ready };
}

function untilAborted(ready: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  return Promise.race([ready, promise]).finally(() => signal.removeEventListener('abort', abort));
}

/** Whichever comes first decides: the result, the time limit, a stop from outside, or the end of the worker. */
function finish(worker: Worker, run: ProgramRun, signal: AbortSignal): Promise<FinishedRun> {
  const { promise, resolve, reject } = Promise.withResolvers<FinishedRun>();
  const faulted = (fault: FinishedRun['fault']) =>
    resolve({ fault, outputs: [], stdoutTail: '', stderrTail: '' });
  const abort = () => reject(signal.reason);
  const timer = setTimeout(() => faulted('program_timed_out'), run.limits.timeLimitMs);
  worker.on('message', (message: WorkerMessage) => {
    if (message.type === 'finished') resolve(message.run);
    if (message.type === 'broken') reject(new Error(`the sandbox failed: ${message.reason}`));
  });
  worker.on('error', (error: NodeJS.ErrnoException) => {
    // What the program makes the host remember is bounded, so only its own size can fill the worker's heap.
    if (error.code === 'ERR_WORKER_OUT_OF_MEMORY') faulted('program_out_of_memory');
    else reject(error);
  });
  worker.on('exit', code => reject(new Error(`the sandbox worker ended with ${code}`)));
  signal.addEventListener('abort', abort, { once: true });
  worker.ref();
  worker.postMessage(run);
  return promise.finally(() => {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  });
}
