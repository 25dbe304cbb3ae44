import type { Placement } from '@astro/matching/engine/engine';
import type { NodeOffer } from '@astro/matching/engine/offer';
import type { TaskRequest } from '@astro/matching/engine/request';
import { arrivalsOf, nodeOrder, randomFor, tunedTo } from './arrivals.js';
import { offerOf, Requests } from './cluster.js';
import { Power } from './power.js';
import { devicesOf, type TraceNode, type TracePod } from './trace.js';

export type Trace = { readonly nodes: readonly TraceNode[]; readonly pods: readonly TracePod[] };

/** What happened while the requests of the arrivals came to be a percentage of the cluster's devices. */
export type Run = {
  /** Allocated devices as a percentage of the cluster's, by arrived percentage: the mean of its arrivals. */
  readonly allocated: Float64Array;
  /** Power draw of the cluster, likewise. */
  readonly watts: Float64Array;
  readonly decisions: number;
  readonly seconds: number;
  /** Of the processor, for the same decisions: the load of other processes changes it less. */
  readonly cpuSeconds: number;
};

/** What places the arrivals: an engine, or more than one. */
export type Placer = {
  addNode(offer: NodeOffer): void;
  place(request: TaskRequest): Placement | 'NoNodeFits';
};

const bins = Math.round(tunedTo * 100) + 1;

/**
 * The experiment of Weng et al., USENIX ATC 2023: all nodes empty, pods in random order up to 130 % of the devices, no
 * departures, and a pod that does not fit is never tried again. The placer's first node wins ties, so nodes are added
 * in random order.
 */
export function runExperiment({ nodes, pods }: Trace, placer: Placer, seed: number): Run {
  const offers = nodeOrder(nodes, seed).map(offerOf);
  for (const offer of offers) placer.addNode(offer);
  const clusterDevices = offers.reduce((sum, offer) => sum + offer.devices.length, 0);
  const requests = new Requests();
  const arrivals = arrivalsOf(pods, clusterDevices, randomFor(seed, 'arrivals')).map(pod => ({
    devices: devicesOf(pod),
    request: requests.of(pod),
  }));
  const placements: (Placement | 'NoNodeFits')[] = [];
  const startedCpu = process.cpuUsage();
  const startedMs = performance.now();
  for (const { request } of arrivals) placements.push(placer.place(request));
  const seconds = (performance.now() - startedMs) / 1000;
  const cpu = process.cpuUsage(startedCpu);
  const curves = curvesOf(offers, clusterDevices, arrivals, placements);
  return { ...curves, decisions: arrivals.length, seconds, cpuSeconds: (cpu.user + cpu.system) / 1e6 };
}

/** Read off the placements afterwards, so that the time of the decisions is theirs alone. */
function curvesOf(
  offers: readonly NodeOffer[],
  clusterDevices: number,
  arrivals: readonly { readonly devices: number }[],
  placements: readonly (Placement | 'NoNodeFits')[],
): Pick<Run, 'allocated' | 'watts'> {
  const power = new Power(offers);
  const [allocated, watts] = [new Float64Array(bins), new Float64Array(bins)];
  const counts = new Float64Array(bins);
  let [arrivedDevices, allocatedDevices] = [0, 0];
  for (const [index, { devices }] of arrivals.entries()) {
    const placement = placements[index]!;
    arrivedDevices += devices;
    if (placement !== 'NoNodeFits') {
      allocatedDevices += devices;
      power.add(placement.hold);
    }
    const bin = Math.min(bins - 1, Math.round((100 * arrivedDevices) / clusterDevices));
    counts[bin]! += 1;
    allocated[bin]! += (100 * allocatedDevices) / clusterDevices;
    watts[bin]! += power.watts;
  }
  // A bin that no arrival ended in has the value of the one before.
  for (let bin = 0; bin < bins; bin++) {
    const isEmpty = counts[bin] === 0;
    allocated[bin] = isEmpty ? (allocated[bin - 1] ?? 0) : allocated[bin]! / counts[bin]!;
    watts[bin] = isEmpty ? (watts[bin - 1] ?? 0) : watts[bin]! / counts[bin]!;
  }
  return { allocated, watts };
}
