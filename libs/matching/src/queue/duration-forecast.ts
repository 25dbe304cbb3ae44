/** The bins of durations: four an octave from one second to a year, so that a bin is 19 % wide. */
const SHORTEST_MS = 1_000;
const BINS_PER_OCTAVE = 4;
const OCTAVES = 25;
export const DURATION_BINS = BINS_PER_OCTAVE * OCTAVES;

/** A duration past every one that was seen is expected to go on for half of what it has lasted. */
const BEYOND_FACTOR = 1.5;
/** Below this chance of lasting so long, nothing is known of how much longer. */
const UNKNOWN_CHANCE = 1e-6;

export function binOf(durationMs: number): number {
  const bin = Math.floor(Math.log2(Math.max(durationMs, SHORTEST_MS) / SHORTEST_MS) * BINS_PER_OCTAVE);
  return Math.min(bin, DURATION_BINS - 1);
}

const startOfMs = (bin: number) => SHORTEST_MS * 2 ** (bin / BINS_PER_OCTAVE);

/** What is believed about how long a task will take: a mean, and a chance for each bin of durations. */
export class DurationForecast {
  /** The chance of ending before each bin; one longer than the bins. */
  private readonly below = new Float64Array(DURATION_BINS + 1);

  /** @param chances one for each bin; they add up to 1 */
  constructor(
    readonly meanMs: number,
    chances: Float64Array,
  ) {
    for (let bin = 0; bin < DURATION_BINS; bin++) this.below[bin + 1] = this.below[bin]! + chances[bin]!;
  }

  /**
   * The duration that a share `quantile` of such tasks does not exceed, given that this one has already
   * lasted `elapsedMs`. Never below what it has lasted.
   */
  quantileMs(quantile: number, elapsedMs = 0): number {
    if (!(quantile > 0 && quantile < 1)) {
      throw new RangeError(`quantile: between 0 and 1, not ${quantile}`);
    }
    const outlived = this.chanceBelow(elapsedMs);
    if (1 - outlived < UNKNOWN_CHANCE) return elapsedMs * BEYOND_FACTOR;
    const target = outlived + (1 - outlived) * quantile;
    const bin = this.binWith(target);
    const chance = this.below[bin + 1]! - this.below[bin]!;
    const within = chance > 0 ? Math.min(1, (target - this.below[bin]!) / chance) : 1;
    return Math.max(elapsedMs, startOfMs(bin) * 2 ** (within / BINS_PER_OCTAVE));
  }

  /** The first bin by whose end the chance is reached; the last where rounding leaves less than 1. */
  private binWith(chance: number): number {
    let [low, high] = [0, DURATION_BINS - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.below[middle + 1]! >= chance) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  private chanceBelow(durationMs: number): number {
    if (durationMs <= SHORTEST_MS) return 0;
    const bin = binOf(durationMs);
    const within = Math.min(1, Math.log2(durationMs / startOfMs(bin)) * BINS_PER_OCTAVE);
    return Math.min(1, this.below[bin]! + (this.below[bin + 1]! - this.below[bin]!) * within);
  }
}
