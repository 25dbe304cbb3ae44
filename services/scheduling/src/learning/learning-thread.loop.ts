import { Worker } from 'node:worker_threads';
import type { PlacementValues } from '@astro/matching/policy/learning/placement-values';
import type { Lesson } from '../pool/learning/lesson.js';

export type Learned = { readonly lesson: Lesson; readonly values: PlacementValues };

/** The thread's own heap; what the solver holds lies outside it, and is bounded by the size of a lesson. */
const THREAD_LIMITS = { maxOldGenerationSizeMb: 512, maxYoungGenerationSizeMb: 32, stackSizeMb: 4 };

const threadFile = import.meta.url.endsWith('.ts') ? './learning.worker.ts' : './learning.worker.js';

/**
 * Learns in a thread of its own, which is ended when it is done, when it takes too long, or when the signal aborts.
 * @throws Error when nothing was learned
 */
export async function learnFrom(lesson: Lesson, timeLimitMs: number, signal: AbortSignal): Promise<Learned> {
  signal.throwIfAborted();
  const worker = new Worker(new URL(threadFile, import.meta.url), {
    workerData: lesson,
    env: {},
    execArgv: [],
    resourceLimits: THREAD_LIMITS,
  });
  const { promise, resolve, reject } = Promise.withResolvers<Learned>();
  const abort = () => reject(signal.reason);
  const timer = setTimeout(() => reject(new Error(`nothing was learned in ${timeLimitMs} ms`)), timeLimitMs);
  worker.once('message', resolve);
  worker.once('error', reject);
  worker.once('exit', code => reject(new Error(`the learning thread ended with ${code}`)));
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
    await worker.terminate();
  }
}
