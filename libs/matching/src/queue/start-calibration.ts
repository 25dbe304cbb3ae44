import type { ExpectedStart } from './expected-start.js';

/** Waits are compared as if each were this much longer, so that seconds do not count as orders of magnitude. */
const OFFSET_MS = 60_000;
/** How far one outcome moves a correction, in powers of e. */
const RATE = 0.05;
/** Corrections stay within a factor of about 400. */
const CORRECTION_MAX = 6;

/**
 * Learns by how much estimates of waiting were wrong, because others were put in front or capacity came and
 * went. Each quantile has its own factor, which grows a little when a task waited longer than was said and
 * shrinks when it did not, so that in the long run half wait no longer than the P50 and nine of ten no longer
 * than the P90 (the adaptive conformal inference of Gibbs and Candès, 2021). Only estimates for tasks that
 * did not start at once are to be learned from.
 */
export class StartCalibration {
  private p50 = 0;
  private p90 = 0;

  correct({ p50Ms, p90Ms }: ExpectedStart): ExpectedStart {
    const correctedP50Ms = corrected(p50Ms, this.p50);
    return { p50Ms: correctedP50Ms, p90Ms: Math.max(correctedP50Ms, corrected(p90Ms, this.p90)) };
  }

  /** A task for which this was estimated, before any correction, began after so long. */
  learn(estimated: ExpectedStart, waitedMs: number): void {
    this.p50 = moved(this.p50, 0.5, waitedMs <= corrected(estimated.p50Ms, this.p50));
    this.p90 = moved(this.p90, 0.9, waitedMs <= corrected(estimated.p90Ms, this.p90));
  }
}

const corrected = (estimateMs: number, correction: number) =>
  Math.max(0, (estimateMs + OFFSET_MS) * Math.exp(correction) - OFFSET_MS);

function moved(correction: number, quantile: number, isCovered: boolean): number {
  const next = correction + RATE * (isCovered ? quantile - 1 : quantile);
  return Math.min(CORRECTION_MAX, Math.max(-CORRECTION_MAX, next));
}
