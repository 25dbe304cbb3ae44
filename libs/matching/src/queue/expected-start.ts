import type { DurationForecast } from './duration-forecast.js';
import { IndexedHeap } from './indexed-heap.js';

/** What stands between a task and its start; units are of whatever the task's class is scarce in. */
export type Ahead = {
  readonly freeUnits: number;
  readonly running: readonly {
    readonly units: number;
    readonly elapsedMs: number;
    readonly forecast: DurationForecast;
  }[];
  /** Who starts before it, in order; at most 2,000, `moreWaiting` says how many more there are. */
  readonly waiting: readonly { readonly units: number; readonly forecast: DurationForecast }[];
  readonly moreWaiting: number;
};

/** Milliseconds from now that half, and nine of ten, such tasks wait at most. */
export type ExpectedStart = { readonly p50Ms: number; readonly p90Ms: number };

const SCENARIOS = 40;
export const WAITING_MAX = 2_000;

/**
 * When a task of so many units would start: in each of 40 scenarios durations are drawn from what is believed
 * of them and the waiting start in order; beyond those listed the queue drains as fast as it did before.
 * Nothing when the pool never has so much. The draws are fixed, so the same question has the same answer.
 */
export function expectedStart(units: number, ahead: Ahead): ExpectedStart | undefined {
  const { freeUnits, running, waiting } = ahead;
  if (waiting.length > WAITING_MAX) {
    throw new RangeError(`waiting: at most ${WAITING_MAX}, not ${waiting.length}`);
  }
  const capacity = running.reduce((sum, lease) => sum + lease.units, freeUnits);
  if (units > capacity) return undefined;
  const starts = Array.from({ length: SCENARIOS }, (_, scenario) =>
    startIn(scenario, units, capacity, ahead),
  );
  starts.sort((a, b) => a - b);
  return { p50Ms: starts[SCENARIOS * 0.5]!, p90Ms: starts[SCENARIOS * 0.9]! };
}

type End = { readonly atMs: number; readonly order: number; readonly units: number; slot: number };

function startIn(
  scenario: number,
  units: number,
  capacity: number,
  { freeUnits, running, waiting, moreWaiting }: Ahead,
): number {
  const ends = new IndexedHeap<End>((a, b) => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order));
  let order = 0;
  let nowMs = 0;
  let free = freeUnits;
  const runs = (amount: number, atMs: number) => ends.push({ atMs, order: order++, units: amount, slot: 0 });
  const waitFor = (amount: number) => {
    while (free < amount) {
      const { atMs, units: freed } = ends.pop()!;
      nowMs = atMs;
      free += freed;
    }
  };
  for (const lease of running) {
    const lastsMs = lease.forecast.quantileMs(drawn(scenario, order), lease.elapsedMs);
    runs(lease.units, lastsMs - lease.elapsedMs);
  }
  for (const { units: amount, forecast } of waiting) {
    if (amount > capacity) continue;
    waitFor(amount);
    free -= amount;
    runs(amount, nowMs + forecast.quantileMs(drawn(scenario, order)));
  }
  const drainedMs = waiting.length > 0 ? (nowMs * moreWaiting) / waiting.length : 0;
  waitFor(units);
  return nowMs + drainedMs;
}

/** A number between 0 and 1 that looks random and is always the same (the finalizer of MurmurHash3). */
function drawn(scenario: number, order: number): number {
  let mixed = (Math.imul(scenario + 1, 0x9e3779b1) + Math.imul(order + 1, 0x85ebca77)) | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  mixed ^= mixed >>> 16;
  return ((mixed >>> 0) + 0.5) / 2 ** 32;
}
