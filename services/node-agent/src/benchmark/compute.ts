import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { ComputeKind } from './compute-work.ts';
import { medianOf, type Measured } from './figure.ts';

/** Odd, so that the median is a run. */
const RUNS = 5;
const RUN_MS = 200;
/** Threads that do not answer in this time are on a machine in trouble. */
const TIMEOUT_MS = 30_000;
const MIB = 1024 * 1024;
const MEGA = 1_000_000;

const workerFile = import.meta.url.endsWith('.ts') ? './compute.worker.ts' : './compute.worker.js';

/** Product of matrices of 32-bit floats, in 10^6 operations a second of all these cores together. */
export const measureMatrix = (cores: number): Promise<Measured> => measure('matrix', cores, MEGA);

/** Triad over arrays that no cache holds, in MiB a second of all these cores together. */
export const measureMemory = (cores: number): Promise<Measured> => measure('memory', cores, MIB);

/** One thread for each core; all run at the same time, so that they share what cores share. */
async function measure(kind: ComputeKind, cores: number, unit: number): Promise<Measured> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const options = { workerData: { kind }, env: {}, execArgv: [] };
  const workers = Array.from(
    { length: cores },
    () => new Worker(new URL(workerFile, import.meta.url), options),
  );
  try {
    await Promise.all(workers.map(worker => once(worker, 'message', { signal })));
    const totals: number[] = [];
    for (let run = 0; run < RUNS; run++) {
      const rates = workers.map(async worker => {
        const answer = once(worker, 'message', { signal });
        worker.postMessage(RUN_MS);
        const [rate] = (await answer) as [number];
        return rate;
      });
      totals.push((await Promise.all(rates)).reduce((sum, rate) => sum + rate, 0) / unit);
    }
    return medianOf(totals);
  } finally {
    await Promise.all(workers.map(worker => worker.terminate()));
  }
}
