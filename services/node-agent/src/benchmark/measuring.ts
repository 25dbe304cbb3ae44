import { delay } from '@astro/jetstream/delay';
import { reasonOf, type Log } from '@astro/jetstream/log';
import type { Benchmark, Report } from './benchmark.js';

/** Between two looks whether a busy node is idle. */
const IDLE_LOOK_MS = 60_000;

export type MeasuringParts = {
  /** On average; 0: never. */
  readonly everyMs: number;
  benchmark(): Promise<Benchmark>;
  /** What the node works on would be measured too, and would be disturbed. */
  isIdle(): boolean;
  report(report: Report, signal: AbortSignal): Promise<void>;
  /** From 0 to below 1. */
  random(): number;
  readonly log: Log;
};

/**
 * Measures the node when it has joined, and then at times that nobody can foresee: a node that is fast only while it
 * is looked at gains nothing.
 */
export class Measuring {
  readonly #parts: MeasuringParts;

  constructor(parts: MeasuringParts) {
    this.#parts = parts;
  }

  /** Goes on until the signal aborts; a failure is told, and the next time comes anyway. */
  async run(signal: AbortSignal): Promise<void> {
    const { everyMs, log } = this.#parts;
    if (everyMs === 0) return;
    while (!signal.aborted) {
      let isMeasured = true;
      try {
        isMeasured = await this.#measureOnce(signal);
      } catch (error) {
        if (!signal.aborted) log.warn('could not measure the node', { reason: reasonOf(error) });
      }
      await delay(this.#spread(isMeasured ? everyMs : Math.min(IDLE_LOOK_MS, everyMs)), signal);
    }
  }

  /** False where the node was busy, before or meanwhile: such figures are not reported. */
  async #measureOnce(signal: AbortSignal): Promise<boolean> {
    const { benchmark, isIdle, report, log } = this.#parts;
    if (!isIdle()) return false;
    const { report: figures, milliUnits, notes } = await benchmark();
    if (!isIdle()) return false;
    await report(figures, signal);
    log.info('measured the node', { ...figures, milliUnits, notes });
    return true;
  }

  /** From half to one and a half of it. */
  #spread(meanMs: number): number {
    return meanMs * (0.5 + this.#parts.random());
  }
}
