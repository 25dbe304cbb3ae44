import type { DeviceOffer, NodeOffer } from '@astro/matching/engine/offer';
import { anywhere, type Requirements, type TaskRequest } from '@astro/matching/engine/request';

/**
 * A fleet and requests that are made up, from a seed: a marketplace of many operators, with the shapes of the
 * 2023 trace's kind (1 to 8 devices a node, much shared use) and attributes that no trace records.
 */
export class SyntheticMarket {
  private state: number;
  private readonly classes: readonly Requirements[];

  constructor(seed: number, requestClasses: number) {
    this.state = (seed * 2_654_435_761) >>> 0 || 1;
    this.classes = Array.from({ length: requestClasses }, () => this.requirements());
  }

  node(index: number, fleetSize: number): NodeOffer {
    const operator = this.skewed(Math.max(8, fleetSize / 25));
    const model = gpuModels[this.skewed(gpuModels.length)]!;
    const place = places[(operator + this.skewed(3)) % places.length]!;
    const devices = this.chance(0.15) ? 0 : deviceCounts[this.below(deviceCounts.length)]!;
    return {
      nodeId: `node-${index}`,
      operatorId: `operator-${operator}`,
      ...place,
      attestation: attestations[this.skewed(attestations.length)]!,
      runtimes: runtimeSets[this.below(runtimeSets.length)]!,
      fabric: devices === 8 && this.chance(0.5) ? `fabric-${index >> 5}` : '',
      cpuMillis: Math.max(16, devices * cpusPerDevice[this.below(cpusPerDevice.length)]!) * 1_000,
      memoryMib: Math.max(64, devices * 96) * 1_024,
      diskMib: 2_000_000,
      bandwidthMbps: [1_000, 10_000, 25_000][this.below(3)]!,
      devices: Array.from({ length: devices }, () => model.device),
      cpuPower: { socketMillis: 32_000, idleWatts: 15, fullWatts: 120 },
      performance: 0.8 + this.below(41) / 100,
      reliability: 1 - this.below(200) / 2_000,
      pricePerDeviceSecondAtto: model.priceAtto + BigInt(this.below(400_000)) * 10n ** 9n,
      datasets: this.chance(0.01) ? [`dataset-${this.below(50)}`] : none,
      maintenance: none,
    };
  }

  request(taskId: string): TaskRequest {
    const requirements = this.classes[this.skewed(this.classes.length)]!;
    return { ...everyRequest, taskId, requirements };
  }

  below(limit: number): number {
    this.state ^= this.state << 13;
    this.state ^= this.state >>> 17;
    this.state ^= this.state << 5;
    return Math.floor(((this.state >>> 0) / 2 ** 32) * limit);
  }

  private chance(probability: number): boolean {
    return this.below(1_000_000) < probability * 1_000_000;
  }

  /** Small numbers are more likely: the square of a uniform number. */
  private skewed(limit: number): number {
    return Math.floor((this.below(1_000_000) / 1_000_000) ** 2 * limit);
  }

  private requirements(): Requirements {
    const [cpus, count, shareThousandths] = demands[this.skewed(demands.length)]!;
    const models = this.chance(0.25) ? [gpuModels[this.skewed(gpuModels.length)]!.device.model] : none;
    const units = { kind: 'gpu' as const, profile: '', vendor: '', memoryMib: 0, isInterconnected: false };
    return {
      cpuMillis: cpus * 1_000,
      memoryMib: cpus * 2_048,
      diskMib: 20_000,
      bandwidthMbps: 0,
      ...(count > 0 && { devices: { ...units, count, shareThousandths, models } }),
      runtime: this.chance(0.8) ? 'wasm' : 'oci',
      regions: this.chance(0.3)
        ? { allowed: [places[this.below(places.length)]!.region], denied: none }
        : anywhere,
      countries: this.chance(0.1) ? { allowed: none, denied: ['DE', 'US'] } : anywhere,
      attestations: this.chance(0.1) ? ['tdx', 'sev-snp'] : none,
      reliabilityMin: this.chance(0.3) ? 0.95 : 0,
      ...(this.chance(0.5) && { priceCapAtto: BigInt(600 + this.below(3_000)) * 10n ** 12n }),
      datasets: this.chance(0.05) ? [`dataset-${this.below(50)}`] : none,
      expectedDurationMs: 600_000,
    };
  }
}

const none: readonly never[] = [];
const runtimeSets = [['wasm'], ['wasm', 'oci'], ['wasm', 'oci', 'onnx']];
const attestations = ['none', 'tpm', 'tdx', 'sev-snp'];
const deviceCounts = [1, 2, 2, 4, 8, 8, 8, 8];
const cpusPerDevice = [8, 12, 16];

const device = (model: string, memoryMib: number, fullWatts: number): DeviceOffer => ({
  kind: 'gpu',
  vendor: model.startsWith('MI') ? 'amd' : 'nvidia',
  model,
  memoryMib,
  interconnect: '',
  isShareable: true,
  slices: none,
  idleWatts: fullWatts / 8,
  fullWatts,
});

/** Device and lowest price in atto a device-second. */
const gpuModels = (
  [
    ['RTX4090', 24_576, 450, 300],
    ['A10', 24_576, 150, 250],
    ['T4', 16_384, 70, 100],
    ['L4', 24_576, 72, 200],
    ['A100', 81_920, 400, 900],
    ['V100', 32_768, 300, 400],
    ['H100', 81_920, 700, 1_600],
    ['L40S', 49_152, 350, 600],
    ['MI300X', 196_608, 750, 1_500],
    ['RTX3090', 24_576, 350, 200],
    ['H200', 144_384, 700, 2_000],
    ['B200', 196_608, 1_000, 3_000],
  ] as const
).map(([model, memoryMib, fullWatts, price]) => ({
  device: device(model, memoryMib, fullWatts),
  priceAtto: BigInt(price) * 10n ** 12n,
}));

const places = (
  [
    ['us-east', 'US'],
    ['eu-central', 'DE'],
    ['us-west', 'US'],
    ['eu-west', 'IE'],
    ['eu-north', 'SE'],
    ['asia-east', 'TW'],
    ['asia-south', 'IN'],
    ['asia-northeast', 'JP'],
    ['sa-east', 'BR'],
    ['ca-central', 'CA'],
    ['af-south', 'ZA'],
    ['oc-southeast', 'AU'],
  ] as const
).map(([region, country]) => ({ region, country }));

/** CPUs, devices, thousandths of each; common ones first. */
const demands: readonly (readonly [cpus: number, count: number, share: number])[] = [
  [8, 1, 1000],
  [6, 1, 460],
  [4, 1, 250],
  [12, 1, 1000],
  [4, 0, 0],
  [3, 1, 330],
  [8, 1, 500],
  [16, 2, 1000],
  [4, 1, 100],
  [8, 0, 0],
  [6, 1, 1000],
  [4, 1, 730],
  [32, 4, 1000],
  [2, 1, 200],
  [64, 8, 1000],
  [10, 1, 810],
];

const everyRequest = {
  decidedAtMs: 0,
  operatorsExcluded: new Set<string>(),
  nodesExcluded: new Set<string>(),
  siblingNodes: none,
  priority: 0,
  leaseClass: 'on-demand' as const,
};
