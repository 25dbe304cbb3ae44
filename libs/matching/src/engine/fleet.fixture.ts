import fc from 'fast-check';
import type { DeviceOffer, NodeOffer } from './offer.js';
import type { PotentialPolicy } from './policy.js';
import { anywhere, plainRequest, type DeviceNeeds, type Requirements, type TaskRequest } from './request.js';
import type { TermWeights } from './weights.js';

export const gpu = (fields: Partial<DeviceOffer> = {}): DeviceOffer => ({
  kind: 'gpu',
  vendor: 'nvidia',
  model: 'A100',
  memoryMib: 40_960,
  interconnect: '',
  isShareable: true,
  slices: [],
  idleWatts: 50,
  fullWatts: 400,
  ...fields,
});

export const offer = (nodeId: string, fields: Partial<NodeOffer> = {}): NodeOffer => ({
  nodeId,
  operatorId: `operator-of-${nodeId}`,
  region: 'eu',
  country: 'DE',
  attestation: 'none',
  runtimes: ['wasm'],
  fabric: '',
  cpuMillis: 8_000,
  memoryMib: 32_768,
  diskMib: 100_000,
  bandwidthMbps: 1_000,
  devices: [gpu(), gpu()],
  cpuPower: { socketMillis: 4_000, idleWatts: 15, fullWatts: 120 },
  performance: 1,
  reliability: 1,
  pricePerDeviceSecondAtto: 100n,
  datasets: [],
  maintenance: [],
  ...fields,
});

export const devices = (fields: Partial<DeviceNeeds> = {}): DeviceNeeds => ({
  kind: 'gpu',
  count: 1,
  shareThousandths: 1000,
  profile: '',
  vendor: '',
  models: [],
  memoryMib: 0,
  isInterconnected: false,
  ...fields,
});

export const needs = (fields: Partial<Requirements> = {}): Requirements => ({
  cpuMillis: 1_000,
  memoryMib: 1_024,
  diskMib: 0,
  bandwidthMbps: 0,
  devices: devices(),
  runtime: 'wasm',
  regions: anywhere,
  countries: anywhere,
  attestations: [],
  reliabilityMin: 0,
  datasets: [],
  expectedDurationMs: 60_000,
  ...fields,
});

export const request = (
  taskId: string,
  requirements: Requirements = needs(),
  fields: Partial<TaskRequest> = {},
): TaskRequest => ({
  ...plainRequest(taskId, requirements, 0),
  ...fields,
});

/** Keeps devices whole and CPU for them; not linear, so that the order of placements matters. */
export const wholeDevices: PotentialPolicy = {
  kind: 'potential',
  name: 'whole-devices',
  potential({ shape, freeCpuMillis, freeShares }) {
    let value = Math.sqrt(freeCpuMillis);
    for (let unit = 0; unit < shape.unitCount; unit++) value += (freeShares[unit]! / 100) ** 2;
    return value;
  },
  score: gain => gain,
};

export const allTerms: TermWeights = {
  version: 7,
  policy: 1,
  price: 3,
  reliability: 5,
  performance: 2,
  locality: 20,
  watts: 10,
  spread: 4,
  referencePriceAtto: 100n,
};

const anyDevice = fc.oneof(
  { weight: 4, arbitrary: fc.record({ model: fc.constantFrom('A100', 'T4'), isShareable: fc.boolean() }) },
  fc.constant({ kind: 'npu' as const, model: 'N1' }),
  fc.constant({
    slices: ['1g', '1g', '3g'].map(profile => ({ profile, memoryMib: profile === '3g' ? 20_480 : 5_120 })),
  }),
  fc.constant({ interconnect: 'nvlink-0' }),
  fc.constant({ kind: 'cpu' as const, model: 'epyc' }),
);

const anyNode = fc.record({
  operator: fc.integer({ min: 0, max: 3 }),
  region: fc.constantFrom('eu', 'us', 'asia'),
  country: fc.constantFrom('DE', 'US'),
  attestation: fc.constantFrom('none', 'tdx'),
  runtimes: fc.subarray(['wasm', 'oci']),
  fabric: fc.constantFrom('', 'f1', 'f2'),
  cpuMillis: fc.integer({ min: 0, max: 6 }).map(cores => cores * 1_000),
  memoryMib: fc.integer({ min: 1, max: 5 }).map(gib => gib * 1_024),
  diskMib: fc.integer({ min: 0, max: 3 }),
  bandwidthMbps: fc.integer({ min: 0, max: 3 }),
  devices: fc.array(anyDevice.map(gpu), { maxLength: 4 }),
  performance: fc.constantFrom(0.5, 1, 2),
  reliability: fc.constantFrom(0.9, 0.99, 1),
  pricePerDeviceSecondAtto: fc.bigInt({ min: 1n, max: 4n }).map(price => price * 10n ** 18n),
  interruptiblePriceAtto: fc.constantFrom(undefined, 2n * 10n ** 18n - 1n, 10n ** 18n),
  transferPriceAtto: fc.constantFrom(undefined, undefined, 10n ** 18n, 10n ** 18n + 1n),
  datasets: fc.subarray(['imagenet', 'pile']),
  maintenance: fc.constantFrom([], [{ fromMs: 50_000, untilMs: 90_000 }]),
});

/** Up to 40 nodes, so that a fleet spans more than one block of the index. */
export const anyOffers: fc.Arbitrary<readonly NodeOffer[]> = fc
  .array(anyNode, { minLength: 1, maxLength: 40 })
  .map(nodes =>
    nodes.map(({ operator, ...fields }, index) =>
      offer(`n${index}`, { ...fields, operatorId: `o${operator}` }),
    ),
  );

const anyDeviceNeeds = fc.record(
  {
    kind: fc.constantFrom('gpu' as const, 'gpu' as const, 'gpu' as const, 'npu' as const),
    count: fc.integer({ min: 1, max: 3 }),
    shareThousandths: fc.constantFrom(1000, 1000, 250, 500, 730),
    profile: fc.constantFrom('', '', '', '1g', '3g'),
    models: fc.constantFrom([], [], ['A100'], ['T4'], ['A100', 'N1']),
    memoryMib: fc.constantFrom(0, 10_240),
    isInterconnected: fc.constantFrom(false, false, true),
  },
  { requiredKeys: ['kind', 'count', 'shareThousandths', 'profile'] },
);

const anyNeeds = fc
  .record({
    cpuMillis: fc.integer({ min: 0, max: 4 }).map(halves => halves * 500),
    memoryMib: fc.integer({ min: 0, max: 2_048 }),
    diskMib: fc.integer({ min: 0, max: 1 }),
    bandwidthMbps: fc.integer({ min: 0, max: 1 }),
    devices: fc.option(anyDeviceNeeds, { nil: undefined, freq: 4 }),
    runtime: fc.constantFrom('', 'wasm'),
    regions: fc.constantFrom(
      anywhere,
      anywhere,
      { allowed: ['eu', 'mars'], denied: [] },
      { allowed: [], denied: ['us'] },
    ),
    countries: fc.constantFrom(anywhere, anywhere, { allowed: ['DE'], denied: [] }),
    attestations: fc.constantFrom([], [], [], ['tdx', 'sev']),
    nodes: fc.constantFrom(undefined, undefined, undefined, ['n0', 'n3', 'n35']),
    reliabilityMin: fc.constantFrom(0, 0, 0.95),
    isInterruptible: fc.boolean(),
    priceCapAtto: fc.constantFrom(undefined, 3n * 10n ** 18n, 2n * 10n ** 18n - 1n),
    transferPriceCapAtto: fc.constantFrom(undefined, undefined, 10n ** 18n),
    datasets: fc.constantFrom([], ['imagenet'], ['imagenet', 'pile']),
    expectedDurationMs: fc.constantFrom(1_000, 60_000),
  })
  .map(({ devices: wanted, ...fields }) =>
    needs({
      ...fields,
      devices: wanted && devices(wanted.profile === '' ? wanted : { ...wanted, shareThousandths: 1000 }),
    }),
  );

export const anyRequests = (maxLength: number): fc.Arbitrary<readonly TaskRequest[]> =>
  fc.array(
    fc
      .record({
        requirements: anyNeeds,
        decidedAtMs: fc.constantFrom(0, 60_000, 90_000),
        deadlineMs: fc.constantFrom(undefined, undefined, 100_000),
        operatorsExcluded: fc.subarray(['o0', 'o9'], { maxLength: 1 }).map(ids => new Set(ids)),
        nodesExcluded: fc.subarray(['n0', 'n1', 'n99']).map(ids => new Set(ids)),
        siblingNodes: fc.subarray(['n0', 'n2', 'n3']),
      })
      .map(({ requirements, ...fields }) => request('', requirements, fields)),
    { minLength: 1, maxLength },
  );
