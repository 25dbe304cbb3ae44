import { freeDevices, type AllocationPolicy } from './potential.js';
import type { NodeShape } from './workload.js';

/** The largest node of the published trace, by which its simulator scales. */
const largestNode = { cpuMillis: 128_000, devices: 8 } as const;

/**
 * A request goes where the least is left, CPU and devices counting the same.
 *
 * The simulator rescales the integer scores over the feasible nodes of each decision. That keeps their order, and no
 * two of them become equal, so it is left out here.
 */
export function bestFit(shapes: readonly NodeShape[]): AllocationPolicy {
  return {
    name: 'bestfit',
    keepsDeviceOrder: true,
    deviceChoice: 'tightest device',
    value: state =>
      Math.floor(
        100 *
          (1 -
            (0.5 * state.cpuMillis) / largestNode.cpuMillis -
            (0.5 * freeDevices(state, shapes[state.shape]!.deviceCount)) / largestNode.devices),
      ),
    score: (_before, after) => after,
  };
}
