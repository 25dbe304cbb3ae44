import { Worker } from 'node:worker_threads';
import type { Accepted, Refused } from '@astro/attestation/verdict';
import { reasonOf } from '@astro/jetstream/log';

export type VerifierQuestion = {
  readonly document: Uint8Array;
  readonly nonce: Uint8Array;
  readonly nodeKey: string;
  readonly now: Date;
};
export type VerifierTask = VerifierQuestion & { readonly id: number };
export type Verdict = { readonly rulesDigest: string; readonly verdict: Accepted | Refused };
/** What the thread tells; a failure is of what evidence is held against, and not of the evidence. */
export type Verified = { readonly id: number } & (Verdict | { readonly failure: string });

const threadFile = import.meta.url.endsWith('.ts') ? './verifier.worker.ts' : './verifier.worker.js';
/** Of evidence that was sent to the thread and not answered. */
const WAITING_MAX = 64;
/** A document takes tens of milliseconds, and all those before it take as long. */
const TIME_LIMIT_MS = 20_000;
const HEAP_MIB = 128;

type Waiting = {
  readonly resolve: (verdict: Verdict) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
};

/** Keeps one thread that verifies; when it has ended, the next evidence starts another one. */
export class VerifierThread {
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #lastId = 0;

  constructor(private readonly folder: string) {
    // At once, because a thread takes longer to load what it needs than evidence does to be verified.
    this.#worker = this.#start();
  }

  /** @throws Error when it is not known whether the evidence is good */
  verify(question: VerifierQuestion): Promise<Verdict> {
    if (this.#waiting.size >= WAITING_MAX)
      return Promise.reject(new Error(`${WAITING_MAX} documents are waiting`));
    const worker = (this.#worker ??= this.#start());
    const task: VerifierTask = { ...question, id: ++this.#lastId };
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#abandon(`it took ${TIME_LIMIT_MS} ms`), TIME_LIMIT_MS);
      this.#waiting.set(task.id, { resolve, reject, timer });
      worker.postMessage(task);
    });
  }

  #start(): Worker {
    const worker = new Worker(new URL(threadFile, import.meta.url), {
      workerData: { folder: this.folder },
      env: {},
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB },
    });
    worker.on('message', (verified: Verified) => this.#settle(verified));
    worker.on('error', (error: unknown) => this.#abandon(reasonOf(error), worker));
    worker.on('exit', code => this.#abandon(`the thread ended with ${code}`, worker));
    // What waits for an answer has a timer; a thread that nobody waits for holds up nothing.
    worker.unref();
    return worker;
  }

  #settle(verified: Verified): void {
    const waiting = this.#waiting.get(verified.id);
    if (!waiting) return;
    this.#waiting.delete(verified.id);
    clearTimeout(waiting.timer);
    if ('failure' in verified) waiting.reject(new Error(verified.failure));
    else waiting.resolve(verified);
  }

  /** Nobody can tell which document was too much for it: all that wait are asked for again by their nodes. */
  #abandon(reason: string, worker = this.#worker): void {
    if (worker !== this.#worker) return;
    this.#worker = undefined;
    void worker?.terminate();
    const abandoned = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject, timer } of abandoned) {
      clearTimeout(timer);
      reject(new Error(reason));
    }
  }
}
