import { DemandTable, type Demand } from '../engine/demand.js';
import type { DeviceOffer } from '../engine/offer.js';
import type { NodeState } from '../engine/policy.js';
import { ShapeTable, type Shape } from '../engine/shape.js';

const [shapes, demands] = [new ShapeTable(), new DemandTable()];

/** A node of this many shareable devices, all of one model. */
export function shapeOf(vcpu: number, devices: number, model = 'A'): Shape {
  const device: DeviceOffer = {
    kind: 'gpu',
    vendor: 'v',
    model,
    memoryMib: 16_384,
    interconnect: '',
    isShareable: true,
    slices: [],
    idleWatts: 0,
    fullWatts: 0,
  };
  return shapes.intern({
    cpuMillis: vcpu * 1000,
    memoryMib: 65_536,
    cpuPower: { socketMillis: 32_000, idleWatts: 0, fullWatts: 0 },
    devices: Array.from({ length: devices }, () => device),
  });
}

/** @param shareThousandths of each device; 0 devices ask for CPU alone */
export function demandOf(
  vcpu: number,
  devices: number,
  shareThousandths = 1000,
  models: string[] = [],
): Demand {
  const needs = {
    kind: 'gpu',
    count: devices,
    shareThousandths,
    profile: '',
    vendor: '',
    models,
    memoryMib: 0,
    isInterconnected: false,
  } as const;
  return demands.intern({ cpuMillis: vcpu * 1000, devices: devices === 0 ? undefined : needs });
}

/** @param freeShares in thousandths, in any order */
export const stateOf = (shape: Shape, freeVcpu: number, freeShares: readonly number[]): NodeState => ({
  shape,
  freeCpuMillis: freeVcpu * 1000,
  freeShares: Uint16Array.from(freeShares).sort(),
});
