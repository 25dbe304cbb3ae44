/**
 * One core's part of a measurement. Only erasable TypeScript and `.ts` imports, so that Node can load this file from
 * the sources as well as from the build.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { preparedWork, type ComputeKind } from './compute-work.ts';

/** By then the compiler has seen what is hot, and all memory was touched. */
const WARM_UP_MS = 150;

if (!parentPort) throw new Error('this is the code of a worker thread');
const port = parentPort;
const work = preparedWork((workerData as { readonly kind: ComputeKind }).kind);

/** Work a second, over at least so long. */
function rateOver(durationMs: number): number {
  const beganMs = performance.now();
  for (let done = 0; ;) {
    done += work();
    const passedMs = performance.now() - beganMs;
    if (passedMs >= durationMs) return (done * 1_000) / passedMs;
  }
}

rateOver(WARM_UP_MS);
port.on('message', (durationMs: number) => port.postMessage(rateOver(durationMs)));
port.postMessage('ready');
