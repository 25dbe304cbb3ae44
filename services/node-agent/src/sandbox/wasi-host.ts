import { createHash } from 'node:crypto';
import { ConsoleStdout, type Fd, File, OpenFile, WASI, wasi, WASIProcExit } from '@bjorn3/browser_wasi_shim';
import { Tail } from './tail.ts';

const OPEN_FILES_MAX = 256;

export const WASI_MODULE = 'wasi_snapshot_preview1';

type HostFunction = (...operands: readonly never[]) => unknown;

export type WasiHostOptions = {
  readonly args: readonly string[];
  readonly seed: string;
  readonly folders: readonly Fd[];
  /** Told of what the program writes. */
  readonly hear: (source: 'stdout' | 'stderr', bytes: Uint8Array) => void;
};

/**
 * WASI preview 1 as programs see it: two folders, arguments, and nothing that differs from one run to the next.
 * The clock stands at 0 and only sleeping moves it; random numbers follow from the seed; sockets do not exist.
 */
export class WasiHost {
  readonly stdout = new Tail();
  readonly stderr = new Tail();
  readonly functions: Record<string, HostFunction>;
  /** Set by `proc_exit`. The exception that unwinds the program could be caught by it, so this counts. */
  exitCode: number | undefined;
  readonly #wasi: WASI;
  readonly #args: readonly string[];
  readonly #random: () => number;
  readonly #hear: WasiHostOptions['hear'];
  #clockNs = 0n;

  constructor(options: WasiHostOptions) {
    this.#hear = options.hear;
    this.#args = options.args;
    this.#random = randomWords(options.seed);
    this.#wasi = new WASI(
      [...options.args],
      [],
      [
        new OpenFile(new File([], { readonly: true })),
        new ConsoleStdout(data => this.#wrote('stdout', data)),
        new ConsoleStdout(data => this.#wrote('stderr', data)),
        ...options.folders,
      ],
      { debug: false },
    );
    this.functions = { ...this.#wasi.wasiImport, ...this.#deterministic(), ...this.#boundedFiles() };
  }

  /** The program's memory must be known before its first call into the host. */
  attach(memory: WebAssembly.Memory): void {
    this.#wasi.inst = { exports: { memory } };
  }

  #wrote(source: 'stdout' | 'stderr', bytes: Uint8Array): void {
    this[source].write(bytes);
    this.#hear(source, bytes);
  }

  get #view(): DataView {
    return new DataView(this.#wasi.inst.exports.memory.buffer);
  }

  #deterministic(): Record<string, HostFunction> {
    return {
      args_sizes_get: (countAt: number, sizeAt: number) => {
        const sizeBytes = this.#args.reduce((sum, arg) => sum + new TextEncoder().encode(arg).length + 1, 0);
        this.#view.setUint32(countAt, this.#args.length, true);
        this.#view.setUint32(sizeAt, sizeBytes, true);
        return wasi.ERRNO_SUCCESS;
      },
      clock_res_get: (_clock: number, resolutionAt: number) => {
        this.#view.setBigUint64(resolutionAt, 1n, true);
        return wasi.ERRNO_SUCCESS;
      },
      clock_time_get: (_clock: number, _precision: bigint, timeAt: number) => {
        this.#view.setBigUint64(timeAt, this.#clockNs, true);
        return wasi.ERRNO_SUCCESS;
      },
      poll_oneoff: (inAt: number, outAt: number, count: number, eventsAt: number) =>
        this.#sleep(inAt, outAt, count, eventsAt),
      random_get: (at: number, length: number) => this.#fillRandom(at, length),
      proc_exit: (code: number) => {
        this.exitCode ??= code;
        throw new WASIProcExit(code);
      },
      sock_accept: () => wasi.ERRNO_NOTSUP,
      sock_recv: () => wasi.ERRNO_NOTSUP,
      sock_send: () => wasi.ERRNO_NOTSUP,
      sock_shutdown: () => wasi.ERRNO_NOTSUP,
    };
  }

  /** The shim only ever adds to its list of open files, and sets no limit to it. */
  #boundedFiles(): Record<string, HostFunction> {
    const { fd_close: close, path_open: open } = this.#wasi.wasiImport as Record<string, WasiFunction>;
    const { fds } = this.#wasi;
    return {
      path_open: (...operands: never[]) =>
        fds.length < OPEN_FILES_MAX ? open!(...operands) : wasi.ERRNO_MFILE,
      fd_close: (...operands: never[]) => {
        const result = close!(...operands);
        while (fds.length > 0 && fds.at(-1) === undefined) fds.pop();
        return result;
      },
    };
  }

  #sleep(inAt: number, outAt: number, count: number, eventsAt: number): number {
    if (count !== 1) return wasi.ERRNO_NOTSUP;
    const subscription = wasi.Subscription.read_bytes(this.#view, inAt);
    if (subscription.eventtype !== wasi.EVENTTYPE_CLOCK) return wasi.ERRNO_NOTSUP;
    const absolute = (subscription.flags & wasi.SUBCLOCKFLAGS_SUBSCRIPTION_CLOCK_ABSTIME) !== 0;
    const timeoutNs = BigInt.asUintN(64, subscription.timeout);
    const wakesAtNs = absolute ? timeoutNs : this.#clockNs + timeoutNs;
    if (wakesAtNs > this.#clockNs) this.#clockNs = wakesAtNs;
    const event = new wasi.Event(subscription.userdata, wasi.ERRNO_SUCCESS, subscription.eventtype);
    event.write_bytes(this.#view, outAt);
    this.#view.setUint32(eventsAt, 1, true);
    return wasi.ERRNO_SUCCESS;
  }

  #fillRandom(at: number, length: number): number {
    const start = at >>> 0;
    const end = start + (length >>> 0);
    const memory = new Uint8Array(this.#wasi.inst.exports.memory.buffer);
    if (end > memory.length) return wasi.ERRNO_FAULT;
    for (let offset = start; offset < end; offset++) memory[offset] = this.#random() & 0xff;
    return wasi.ERRNO_SUCCESS;
  }
}

type WasiFunction = (...operands: readonly never[]) => number;

/** Chris Doty-Humphrey's sfc32, seeded with the first 128 bits of a SHA-256; for sampling, not for secrets. */
export function randomWords(seed: string): () => number {
  const words = new Int32Array(Uint8Array.from(createHash('sha256').update(seed).digest()).buffer);
  let [a, b, c, counter] = [words[0]!, words[1]!, words[2]!, words[3]!];
  return () => {
    const word = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + word) | 0;
    return word >>> 0;
  };
}
