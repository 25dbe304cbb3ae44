import type { Measurement } from './gen/registry.js';

/** What a node measures in short runs, apart from when and how. */
export type Figure = Exclude<
  keyof Measurement,
  'measuredAt' | 'cores' | 'spreadThousandths' | 'peerNetworkKibPerSecond'
>;

/** The figures that make a compute unit, each with its weight. The network is not among them: it is the place's. */
const weights = {
  matrixMflops: 0.6,
  memoryMibPerSecond: 0.3,
  diskWriteMibPerSecond: 0.05,
  diskReadMibPerSecond: 0.05,
} as const satisfies Partial<Record<Figure, number>>;

/**
 * One compute unit is a machine with these figures: medians of nine runs of the agent's own benchmarks on ext4. The
 * machine was not idle: arithmetic and memory are of one core, by the time that its thread had it, times two. They are
 * fixed, so that a figure of one year compares with one of the next.
 */
export const referenceMachine = {
  measuredOn: '2026-12-01',
  processor: 'Intel Xeon, Ice Lake generation (family 6, model 106), 2 virtual cores at 2.6 GHz, 24 GiB',
  figures: {
    matrixMflops: 21_000,
    memoryMibPerSecond: 22_800,
    diskWriteMibPerSecond: 560,
    diskReadMibPerSecond: 900,
  },
} as const satisfies {
  readonly measuredOn: string;
  readonly processor: string;
  readonly figures: Record<keyof typeof weights, number>;
};

const MILLI_UNITS_MAX = 2 ** 32 - 1;

/** The weighted geometric mean of the figures, each against the reference machine's, in thousandths. */
export function milliUnitsOf(measured: Readonly<Record<keyof typeof weights, number>>): number {
  const names = Object.keys(weights) as (keyof typeof weights)[];
  const logarithm = names.reduce(
    (sum, name) => sum + weights[name] * Math.log(measured[name] / referenceMachine.figures[name]),
    0,
  );
  return Math.min(MILLI_UNITS_MAX, Math.max(1, Math.round(1_000 * Math.exp(logarithm))));
}
