/** What one instance of a public cloud costs on demand by its list, and who said so when. */
export type CloudListPrice = {
  readonly provider: string;
  readonly instance: string;
  /** As `modelName` writes it. */
  readonly gpu: string;
  readonly gpus: number;
  /** Where the source names it; a price without one is the lowest of all regions. */
  readonly region?: string;
  /** In 10^-6 US dollars for each hour of the whole instance. */
  readonly microUsdPerHour: number;
  /** The day of the source, not that of this file. */
  readonly observedOn: string;
  readonly source: string;
};

const skypilot = 'https://github.com/skypilot-org/skypilot';

/**
 * List prices on demand, each from a public thread that shows the figure and has a date. Single figures are quoted as
 * facts; no catalogue is copied. A price that changed gets a new row with its own source, and the old one goes.
 */
export const cloudListPrices: readonly CloudListPrice[] = [
  {
    provider: 'AWS',
    instance: 'p4d.24xlarge',
    gpu: 'A100',
    gpus: 8,
    microUsdPerHour: 32_773_000,
    observedOn: '2024-09-28',
    source: `${skypilot}/issues/4019`,
  },
  {
    provider: 'AWS',
    instance: 'p4de.24xlarge',
    gpu: 'A100-80GB',
    gpus: 8,
    microUsdPerHour: 40_966_000,
    observedOn: '2024-09-28',
    source: `${skypilot}/issues/4019`,
  },
  {
    provider: 'AWS',
    instance: 'g5.xlarge',
    gpu: 'A10G',
    gpus: 1,
    microUsdPerHour: 1_006_000,
    observedOn: '2024-09-28',
    source: `${skypilot}/issues/4019`,
  },
  {
    provider: 'AWS',
    instance: 'p3.2xlarge',
    gpu: 'V100',
    gpus: 1,
    microUsdPerHour: 3_060_000,
    observedOn: '2022-03-01',
    source: `${skypilot}/pull/472`,
  },
  {
    provider: 'GCP',
    instance: 'a2-highgpu-1g',
    gpu: 'A100',
    gpus: 1,
    region: 'us-central1',
    microUsdPerHour: 3_673_000,
    observedOn: '2023-12-30',
    source: `${skypilot}/pull/2892`,
  },
  {
    provider: 'Lambda',
    instance: 'gpu_8x_a100',
    gpu: 'A100',
    gpus: 8,
    microUsdPerHour: 10_320_000,
    observedOn: '2024-11-09',
    source: 'https://github.com/AkihikoWatanabe/paper_notes/issues/1493',
  },
  {
    provider: 'Lambda',
    instance: 'gpu_1x_h100',
    gpu: 'H100',
    gpus: 1,
    microUsdPerHour: 1_990_000,
    observedOn: '2023-06-15',
    source: 'https://github.com/skypilot-org/skypilot-catalog/pull/34',
  },
];
