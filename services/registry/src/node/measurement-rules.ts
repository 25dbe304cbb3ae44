import type { Figure } from '@astro/messages/compute-unit';
import type { FigureChange, Measurement, Offer } from '@astro/messages/registry';

/** Each figure's name in the message, the least and the most that is believed. */
const bounds: Readonly<Record<Figure, readonly [field: string, least: number, most: number]>> = {
  // The most depends on the cores, see below.
  matrixMflops: ['matrix_mflops', 1, 0],
  memoryMibPerSecond: ['memory_mib_per_second', 1, 8 * 1024 * 1024], // 8 TiB/s: stacked memory of a whole host
  diskWriteMibPerSecond: ['disk_write_mib_per_second', 1, 256 * 1024], // 256 GiB/s: a host full of NVMe disks
  diskReadMibPerSecond: ['disk_read_mib_per_second', 1, 256 * 1024],
  networkKibPerSecond: ['network_kib_per_second', 0, 195_312_500], // two ports of 800 Gbit/s
};
const figures = Object.keys(bounds) as readonly Figure[];

/** Twice what the fastest cores do with their widest instructions. */
const MFLOPS_OF_CORE_MAX = 500_000;
const SPREAD_MAX_THOUSANDTHS = 10_000;
/** So many measurements are compared with; more than half of them must agree before the usual moves. */
export const MEASUREMENTS_KEPT = 9;
const MEASUREMENTS_COMPARED_MIN = 3;
/** A figure is far from the usual when it is less than its half or more than its double. */
const FAR_FACTOR = 2;

/** The first rule that the measurement breaks, as `field: rule`; undefined when it breaks none. */
export function measurementProblem(measurement: Measurement, { inventory }: Offer): string | undefined {
  const cores = Math.ceil(inventory.cpuMillis / 1_000);
  const wrongCores = outside('cores', measurement.cores, 1, cores);
  if (wrongCores !== undefined) return wrongCores;
  for (const figure of figures) {
    const [, least, most] = bounds[figure];
    const bound = figure === 'matrixMflops' ? measurement.cores * MFLOPS_OF_CORE_MAX : most;
    const problem = outside(figure, measurement[figure], least, bound);
    if (problem !== undefined) return problem;
  }
  const [, , networkMost] = bounds.networkKibPerSecond;
  return (
    outside('peerNetworkKibPerSecond', measurement.peerNetworkKibPerSecond ?? 0, 0, networkMost) ??
    outside('spreadThousandths', measurement.spreadThousandths, 0, SPREAD_MAX_THOUSANDTHS)
  );
}

/**
 * The figures that are suddenly far from what they usually are: the median of earlier measurements on as many cores,
 * which one outlier does not move. What was as far the last time already is no news.
 */
export function suddenChanges(before: readonly Measurement[], now: Measurement): readonly FigureChange[] {
  const comparable = before.filter(({ cores }) => cores === now.cores);
  return figures.flatMap(figure => {
    const known = comparable.map(measurement => measurement[figure]).filter(value => value > 0);
    const measured = now[figure];
    if (measured === 0 || known.length < MEASUREMENTS_COMPARED_MIN) return [];
    const usual = medianOf(known);
    const isNews = directionOf(measured, usual) !== directionOf(known.at(-1)!, usual);
    const [field] = bounds[figure];
    return isNews && directionOf(measured, usual) !== 'near' ? [{ figure: field, usual, measured }] : [];
  });
}

function directionOf(value: number, usual: number): 'near' | 'far below' | 'far above' {
  if (value * FAR_FACTOR < usual) return 'far below';
  return value > usual * FAR_FACTOR ? 'far above' : 'near';
}

const medianOf = (values: readonly number[]): number =>
  values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)]!;

const outside = (field: string, value: number, least: number, most: number): string | undefined =>
  Number.isInteger(value) && value >= least && value <= most
    ? undefined
    : `measurement.${field}: must be from ${least} to ${most}`;
