/**
 * Runs one program and ends. The bytes of the program are hostile: they are read, limited, compiled and run here,
 * where the whole thread can be ended from outside. Only erasable TypeScript and `.ts` imports, so that Node can
 * load this file from the sources as well as from the build.
 */
import { parentPort, type MessagePort, type TransferListItem } from 'node:worker_threads';
import type { Fd } from '@bjorn3/browser_wasi_shim';
import { type BoundModule, boundModule, GROWTH_REFUSED_EXPORT } from './bound-module.ts';
import { checkpointDirectory, checkpointQuota } from './checkpoint-folder.ts';
import { inputDirectory, outputDirectory, OutputLimitReached, OutputQuota } from './file-system.ts';
import { FUEL_EXPORT } from './metered-module.ts';
import {
  type CheckpointRun,
  flagAt,
  type FinishedRun,
  type ProgramResult,
  type ProgramRun,
  type WorkerMessage,
} from './program-run.ts';
import { WASI_MODULE, WasiHost, type WasiHostOptions } from './wasi-host.ts';
import { InvalidModule } from './wasm-binary.ts';

type Faulted = { readonly fault: ProgramResult['fault'] };

function execute(run: ProgramRun, port: MessagePort): FinishedRun {
  const quota = new OutputQuota(run.limits.outputLimitBytes);
  const output = outputDirectory(quota);
  const writes = new Writes(port);
  const kept = run.checkpoints && new Checkpoints(run.checkpoints, port);
  const folders = [inputDirectory(run.inputs), output.fd, ...(kept ? [kept.folder] : [])];
  const host = new WasiHost({ args: ['program', ...run.args], seed: run.seed, folders, hear: writes.hear });
  let result: ProgramResult;
  try {
    const { fault } = runToEnd(run, host);
    result = fault === 'none' ? { fault, outputs: output.collect() } : { fault, outputs: [] };
  } catch (error) {
    if (!(error instanceof OutputLimitReached)) throw error;
    result = { fault: 'output_too_large', outputs: [] };
  }
  if (quota.exceeded || kept?.isTooLarge) result = { fault: 'output_too_large', outputs: [] };
  kept?.postLast();
  writes.close();
  return { ...result, stdoutTail: host.stdout.text, stderrTail: host.stderr.text };
}

/** Who writes byte by byte is as much work as who writes lines. */
const WRITES_TOLD_MAX = 20_000;

/** Tells the agent what a program writes, as long as that is not too often; the rest is counted. */
class Writes {
  readonly #port: MessagePort;
  #writes = 0;

  constructor(port: MessagePort) {
    this.#port = port;
  }

  readonly hear: WasiHostOptions['hear'] = (source, bytes) => {
    this.#writes += 1;
    if (this.#writes <= WRITES_TOLD_MAX) this.#tell(source, bytes);
  };

  /** When the program has ended. */
  close(): void {
    const leftOut = this.#writes - WRITES_TOLD_MAX;
    if (leftOut > 0) this.#tell('stderr', new TextEncoder().encode(`\n… and ${leftOut} writes more\n`));
  }

  #tell(source: 'stdout' | 'stderr', bytes: Uint8Array): void {
    const message: WorkerMessage = { type: 'written', source, bytes };
    this.#port.postMessage(message);
  }
}

/** What the agent does not wait for is passed over, but for the last: a fast program must not drown it. */
class Checkpoints {
  readonly folder: Fd;
  readonly #quota: OutputQuota;
  readonly #flags: Int32Array;
  readonly #port: MessagePort;
  #passedOver: Uint8Array | undefined;

  constructor({ sizeLimitBytes, latest, flags }: CheckpointRun, port: MessagePort) {
    this.#port = port;
    this.#flags = new Int32Array(flags);
    this.#quota = checkpointQuota(sizeLimitBytes);
    this.folder = checkpointDirectory({
      ...{ quota: this.#quota, limitBytes: sizeLimitBytes, latest },
      isToStop: () => Atomics.load(this.#flags, flagAt.isToStop) === 1,
      complete: bytes => this.#complete(bytes),
    });
  }

  get isTooLarge(): boolean {
    return this.#quota.exceeded;
  }

  /** When the program has ended. */
  postLast(): void {
    if (this.#passedOver) this.#post(this.#passedOver);
  }

  #complete(bytes: Uint8Array): void {
    const isWanted = Atomics.compareExchange(this.#flags, flagAt.isWanted, 1, 0) === 1;
    this.#passedOver = isWanted ? undefined : bytes;
    if (isWanted) this.#post(bytes);
  }

  #post(bytes: Uint8Array): void {
    const copy = bytes.slice();
    const message: WorkerMessage = { type: 'checkpoint', bytes: copy };
    this.#port.postMessage(message, [copy.buffer]);
  }
}

function runToEnd(run: ProgramRun, host: WasiHost): Faulted {
  const compiled = compile(run);
  if ('fault' in compiled) return compiled;
  let instance: WebAssembly.Instance;
  try {
    // A start section would run before the host knows the memory; calls of the host then fail as a trap.
    instance = new WebAssembly.Instance(compiled.module, { [WASI_MODULE]: host.functions });
  } catch (error) {
    if (error instanceof WebAssembly.LinkError) return { fault: 'program_invalid' };
    if (error instanceof WebAssembly.RuntimeError) return { fault: 'program_trapped' };
    throw error;
  }
  const { memory, _start: start, [GROWTH_REFUSED_EXPORT]: refused, [FUEL_EXPORT]: fuel } = instance.exports;
  if (!(memory instanceof WebAssembly.Memory) || typeof start !== 'function') {
    return { fault: 'program_invalid' };
  }
  host.attach(memory);
  if (succeeds(start as () => void, host)) return { fault: 'none' };
  // Too long by count is the same fault as too long by the clock.
  if (fuel instanceof WebAssembly.Global && (fuel.value as bigint) < 0n)
    return { fault: 'program_timed_out' };
  const wanted = refused instanceof WebAssembly.Global && refused.value === 1;
  return { fault: wanted ? 'program_out_of_memory' : 'program_trapped' };
}

/** Whatever a program throws through its own frames, or makes the host throw, is its failure. */
function succeeds(start: () => void, host: WasiHost): boolean {
  try {
    start();
  } catch (error) {
    if (host.exitCode === undefined) {
      host.stderr.write(
        new TextEncoder().encode(`${error instanceof Error ? error.message : 'exception'}\n`),
      );
      return false;
    }
  }
  return (host.exitCode ?? 0) === 0;
}

function compile({ program, limits }: ProgramRun): { module: WebAssembly.Module } | Faulted {
  let bound: BoundModule;
  try {
    bound = boundModule(program, limits.memoryLimitMib, limits.fuelLimit);
    if ('fault' in bound) return bound;
    const module = new WebAssembly.Module(bound.bytes);
    const isForeign = WebAssembly.Module.imports(module).some(
      ({ module, kind }) => module !== WASI_MODULE || kind !== 'function',
    );
    return isForeign ? { fault: 'program_invalid' } : { module };
  } catch (error) {
    const isInvalid = error instanceof InvalidModule || error instanceof WebAssembly.CompileError;
    if (isInvalid) return { fault: 'program_invalid' };
    throw error;
  }
}

function serve(port: MessagePort): void {
  const post = (message: WorkerMessage, moved: readonly TransferListItem[] = []) =>
    port.postMessage(message, moved);
  port.once('message', (run: ProgramRun) => {
    try {
      const finished = execute(run, port);
      const moved = finished.outputs.map(({ bytes }) => bytes.buffer as ArrayBuffer);
      post({ type: 'finished', run: finished }, moved);
    } catch (error) {
      post({ type: 'broken', reason: error instanceof Error ? error.message : String(error) });
    }
  });
  post({ type: 'ready' });
}

if (!parentPort) throw new Error('this file runs as a worker thread only');
serve(parentPort);
