import { setTimeout as sleep } from 'node:timers/promises';

const MIB = 1_024 * 1_024;

/**
 * Actions a second of `callers` that each begin the next one when the last has ended. What happens within
 * the first `warmUpMs` is not counted.
 */
export async function ratePerSecond(
  callers: number,
  { warmUpMs, measureMs }: { readonly warmUpMs: number; readonly measureMs: number },
  act: (caller: number) => Promise<unknown>,
): Promise<number> {
  let count = 0;
  const run = { isOver: false };
  const call = async (caller: number) => {
    while (!run.isOver) {
      await act(caller);
      count += 1;
    }
  };
  const calling = Promise.all(Array.from({ length: callers }, (_, caller) => call(caller)));
  await Promise.race([calling, sleep(warmUpMs)]);
  const [startedMs, before] = [performance.now(), count];
  await Promise.race([calling, sleep(measureMs)]);
  const rate = ((count - before) * 1_000) / (performance.now() - startedMs);
  run.isOver = true;
  await calling;
  return rate;
}

/** How long each of `times` actions took, one after the other. */
export async function durationsMs(times: number, act: () => Promise<unknown>): Promise<readonly number[]> {
  const durations: number[] = [];
  for (let time = 0; time < times; time++) {
    const startedMs = performance.now();
    await act();
    durations.push(performance.now() - startedMs);
  }
  return durations;
}

export function percentile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new Error('nothing was measured');
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}

export const median = (values: readonly number[]): number => percentile(values, 0.5);

export const heapMb = (): number => Math.round(process.memoryUsage().heapUsed / MIB);

export const rssMb = (): number => Math.round(process.memoryUsage.rss() / MIB);

/** Of all threads of a process, in the kernel too. */
export const processorMsOf = ({ user, system }: NodeJS.CpuUsage): number => (user + system) / 1_000;

export const rounded = (value: number, digits = 0): number => Number(value.toFixed(digits));

/**
 * Begins `perSecond` actions a second, whatever becomes of those before them, and gives how long each took,
 * counted from when it was due. The first quarter of the time warms up.
 */
export async function latenciesAt(
  perSecond: number,
  durationMs: number,
  act: () => Promise<unknown>,
): Promise<readonly number[]> {
  const latencies: number[] = [];
  const pending: Promise<void>[] = [];
  const startedMs = performance.now();
  const total = Math.floor((perSecond * durationMs) / 1_000);
  const begin = async (dueMs: number) => {
    await act();
    if (dueMs - startedMs > durationMs / 4) latencies.push(performance.now() - dueMs);
  };
  while (pending.length < total) {
    const due = Math.floor(((performance.now() - startedMs) * perSecond) / 1_000);
    while (pending.length < Math.min(due, total)) {
      pending.push(begin(startedMs + (pending.length * 1_000) / perSecond));
    }
    await sleep(1);
  }
  await Promise.all(pending);
  return latencies;
}
