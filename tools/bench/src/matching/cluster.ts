import {
  problemsOfOffer,
  problemsOfRequest,
  type Catalogue,
  type FieldProblem,
} from '@astro/matching/engine/admission';
import { DemandTable } from '@astro/matching/engine/demand';
import type { DeviceOffer, NodeOffer } from '@astro/matching/engine/offer';
import { anywhere, plainRequest, type Requirements, type TaskRequest } from '@astro/matching/engine/request';
import { ShapeTable } from '@astro/matching/engine/shape';
import type { DemandRate, ShapeCount } from '@astro/matching/policy/demand-rate';
import { TraceError, type TraceNode, type TracePod } from './trace.js';

/**
 * Watts of a device that is idle and of one with any allocation. Source: the power model of Lettich et al., CCGrid
 * 2025 (`pkg/type/open-gpu-share` of PWR-plugin-kubernetes), where G2 counts as A10 and G3 as A100.
 */
const wattsOfModel: Readonly<Record<string, readonly [idle: number, full: number]>> = {
  T4: [10, 70],
  A10: [30, 150],
  G2: [30, 150],
  P100: [25, 250],
  V100M16: [30, 300],
  V100M32: [30, 300],
  G3: [50, 400],
};
const unknownWatts = [30, 250] as const;

/** Xeon E5-2682 v4: 16 cores, 32 vCPU a socket. */
const cpuPower = { socketMillis: 32_000, idleWatts: 15, fullWatts: 120 } as const;

/** A machine of the trace as the engine knows machines; what the trace does not say is the same for all. */
export function offerOf(node: TraceNode): NodeOffer {
  const [idleWatts, fullWatts] = wattsOfModel[node.model] ?? unknownWatts;
  const device: DeviceOffer = {
    kind: 'gpu',
    vendor: 'nvidia',
    model: node.model,
    memoryMib: 0,
    interconnect: '',
    isShareable: true,
    slices: [],
    idleWatts,
    fullWatts,
  };
  return {
    nodeId: node.name,
    operatorId: 'openb',
    region: 'openb',
    country: 'CN',
    attestation: 'none',
    runtimes: ['container'],
    fabric: '',
    cpuMillis: node.cpuMillis,
    memoryMib: node.memoryMib,
    diskMib: 0,
    bandwidthMbps: 0,
    devices: Array.from({ length: node.deviceCount }, () => device),
    cpuPower,
    performance: 1,
    reliability: 1,
    pricePerDeviceSecondAtto: 0n,
    datasets: [],
    maintenance: [],
  };
}

/** Pods of the trace as the engine's requests. Equal pods share one requirements object. */
export class Requests {
  private readonly byKey = new Map<string, Requirements>();

  of(pod: TracePod): TaskRequest {
    return plainRequest(pod.name, this.requirementsOf(pod), 0);
  }

  requirementsOf({ cpuMillis, memoryMib, deviceCount, shareThousandths, models }: TracePod): Requirements {
    const key = [cpuMillis, memoryMib, deviceCount, shareThousandths, ...models].join('/');
    const known = this.byKey.get(key);
    if (known) return known;
    const devices = {
      kind: 'gpu',
      count: deviceCount,
      shareThousandths,
      profile: '',
      vendor: '',
      models,
      memoryMib: 0,
      isInterconnected: false,
    } as const;
    const requirements: Requirements = {
      cpuMillis,
      memoryMib,
      diskMib: 0,
      bandwidthMbps: 0,
      devices: deviceCount === 0 ? undefined : devices,
      runtime: '',
      regions: anywhere,
      countries: anywhere,
      attestations: [],
      reliabilityMin: 0,
      datasets: [],
      expectedDurationMs: 0,
    };
    this.byKey.set(key, requirements);
    return requirements;
  }
}

/** How often each demand occurs among the pods. */
export function mixOf(pods: readonly TracePod[]): DemandRate[] {
  const [table, requests] = [new DemandTable(), new Requests()];
  const counts = new Map<DemandRate['demand'], number>();
  for (const pod of pods) {
    const demand = table.intern(requests.requirementsOf(pod));
    counts.set(demand, (counts.get(demand) ?? 0) + 1);
  }
  return [...counts].map(([demand, rate]) => ({ demand, rate }));
}

/** How many machines there are of each shape. */
export function fleetOf(nodes: readonly TraceNode[]): ShapeCount[] {
  const table = new ShapeTable();
  const counts = new Map<ShapeCount['shape'], number>();
  for (const node of nodes) {
    const shape = table.intern(offerOf(node));
    counts.set(shape, (counts.get(shape) ?? 0) + 1);
  }
  return [...counts].map(([shape, count]) => ({ shape, count }));
}

/** Throws a `TraceError` for what the engine refuses at its border, such as a model that no machine has. */
export function assertAdmissible(nodes: readonly TraceNode[], pods: readonly TracePod[]): void {
  const offers = nodes.map(offerOf);
  const catalogue: Catalogue = {
    models: new Set(nodes.map(({ model }) => model)),
    runtimes: new Set(offers.flatMap(({ runtimes }) => runtimes)),
  };
  const requests = new Requests();
  const seen = new Set<Requirements>();
  for (const offer of offers) refuse(`node ${offer.nodeId}`, problemsOfOffer(offer, catalogue));
  for (const pod of pods) {
    const request = requests.of(pod);
    if (seen.has(request.requirements)) continue;
    seen.add(request.requirements);
    refuse(`pod ${pod.name}`, problemsOfRequest(request, catalogue));
  }
}

function refuse(whose: string, [problem]: readonly FieldProblem[]): void {
  if (problem) throw new TraceError(`${whose}: ${problem.field} ${problem.rule}`);
}
