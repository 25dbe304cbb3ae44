/** One figure: the median of its runs, and how far apart they were. */
export type Measured = {
  readonly value: number;
  readonly runs: number;
  /** The largest difference between two runs, in thousandths of the median. */
  readonly spreadThousandths: number;
};

/** @throws RangeError without a run */
export function medianOf(values: readonly number[]): Measured {
  const sorted = values.toSorted((left, right) => left - right);
  const median = sorted[Math.floor(sorted.length / 2)];
  if (median === undefined) throw new RangeError('a figure needs a run');
  const spread = median > 0 ? (sorted.at(-1)! - sorted[0]!) / median : 0;
  return {
    value: Math.max(1, Math.round(median)),
    runs: values.length,
    spreadThousandths: Math.round(spread * 1_000),
  };
}
