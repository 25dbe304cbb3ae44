import type { DirectPolicy } from '../engine/policy.js';
import { freeUnits } from './demand-rate.js';

/** The largest node of the published trace, by which its simulator scales. */
const largestNode = { cpuMillis: 128_000, units: 8 } as const;

/**
 * A request goes where the least is left, CPU and units counting the same; integer scores, as in the simulator of
 * Weng et al., USENIX ATC 2023.
 *
 * The simulator then rescales the scores over the feasible nodes of each decision. That keeps their order and makes
 * no two of them equal, so it is left out.
 */
export const bestFit: DirectPolicy = {
  kind: 'direct',
  name: 'bestfit',
  score: (_demand, _before, after) => {
    const cpu = after.freeCpuMillis / largestNode.cpuMillis;
    const units = freeUnits(after.freeShares, after.shape.unitCount) / largestNode.units;
    return Math.floor(100 * (1 - 0.5 * cpu - 0.5 * units));
  },
};
