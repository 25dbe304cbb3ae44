/** An array: the same program once for each index from 0 up to, not with, `size`. */
export type ArraySpec = {
  readonly size: number;
  /** At most so many indices wait or run at once. */
  readonly maxParallel: number;
  /** After so many indices have failed no further one is begun; absent: all are begun whatever happens. */
  readonly failuresMax?: number;
};

export type ArrayProgress = {
  /** Indices from 0 to here have been begun, each once. */
  readonly begun: number;
  readonly succeeded: number;
  readonly failed: number;
};

export const ARRAY_SIZE_MAX = 1_000_000;

export const notBegun: ArrayProgress = { begun: 0, succeeded: 0, failed: 0 };

/** The rule that the specification breaks, with the field's name first; nothing when it is sound. */
export function arrayFault({ size, maxParallel, failuresMax }: ArraySpec): string | undefined {
  const isWhole = (value: number, max: number) => Number.isInteger(value) && value >= 1 && value <= max;
  if (!isWhole(size, ARRAY_SIZE_MAX)) return `size: a whole number from 1 to ${ARRAY_SIZE_MAX}`;
  if (!isWhole(maxParallel, size)) return 'maxParallel: a whole number from 1 to size';
  if (failuresMax !== undefined && !isWhole(failuresMax, size)) {
    return 'failuresMax: a whole number from 1 to size';
  }
  return undefined;
}

/** The indices to begin now, ascending: as many as `maxParallel` leaves, none once too many have failed. */
export function indicesToBegin(
  spec: ArraySpec,
  { begun, succeeded, failed }: ArrayProgress,
): readonly number[] {
  if (spec.failuresMax !== undefined && failed >= spec.failuresMax) return [];
  const open = begun - succeeded - failed;
  const count = Math.max(0, Math.min(spec.maxParallel - open, spec.size - begun));
  return Array.from({ length: count }, (_, offset) => begun + offset);
}

/** `running` until nothing is open and nothing may be begun any more. */
export function arrayOutcome(spec: ArraySpec, progress: ArrayProgress): 'running' | 'succeeded' | 'failed' {
  const { begun, succeeded, failed } = progress;
  const open = begun - succeeded - failed;
  if (open > 0 || indicesToBegin(spec, progress).length > 0) return 'running';
  return failed === 0 && succeeded === spec.size ? 'succeeded' : 'failed';
}
