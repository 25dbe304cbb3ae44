/** The bins of durations: four an octave from one second to a year, so that a bin is 19 % wide. */
const SHORTEST_MS = 1_000;
const BINS_PER_OCTAVE = 4;
const OCTAVES = 25;
export const DURATION_BINS = BINS_PER_OCTAVE * OCTAVES;

/** A duration past every one that was seen is expected to go on for half of what it has lasted. */
const BEYOND_FACTOR = 1.5;

export function binOf(durationMs: number): number {
  const bin = Math.floor(Math.log2(Math.max(durationMs, SHORTEST_MS) / SHORTEST_MS) * BINS_PER_OCTAVE);
  return Math.min(bin, DURATION_BINS - 1);
}

const startOfMs = (bin: number) => SHORTEST_MS * 2 ** (bin / BINS_PER_OCTAVE);

/** What is believed about how long a task will take: a mean, and a chance for each bin of durations. */
export class DurationForecast {
  constructor(
    readonly meanMs: number,
    /** One for each bin; they add up to 1. */
    private readonly chances: Float64Array,
  ) {}

  /**
   * The duration that a share `quantile` of such tasks does not exceed, given that this one has already
   * lasted `elapsedMs`. Never below what it has lasted.
   */
  quantileMs(quantile: number, elapsedMs = 0): number {
    if (!(quantile > 0 && quantile < 1)) {
      throw new RangeError(`quantile: between 0 and 1, not ${quantile}`);
    }
    const outlived = this.chanceBelow(elapsedMs);
    const target = outlived + (1 - outlived) * quantile;
    if (1 - outlived < 1e-6) return elapsedMs * BEYOND_FACTOR;
    let below = 0;
    for (let bin = 0; bin < DURATION_BINS; bin++) {
      const chance = this.chances[bin]!;
      if (chance > 0 && below + chance >= target) {
        const within = (target - below) / chance;
        return Math.max(elapsedMs, startOfMs(bin) * 2 ** (within / BINS_PER_OCTAVE));
      }
      below += chance;
    }
    return Math.max(startOfMs(DURATION_BINS), elapsedMs * BEYOND_FACTOR);
  }

  private chanceBelow(durationMs: number): number {
    if (durationMs <= SHORTEST_MS) return 0;
    const last = binOf(durationMs);
    let below = 0;
    for (let bin = 0; bin < last; bin++) below += this.chances[bin]!;
    const within = Math.min(1, Math.log2(durationMs / startOfMs(last)) * BINS_PER_OCTAVE);
    return Math.min(1, below + this.chances[last]! * within);
  }
}
