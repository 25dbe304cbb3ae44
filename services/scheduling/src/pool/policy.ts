import type { DirectPolicy, NodeState } from '@astro/matching/engine/policy';
import { wholeShare } from '@astro/matching/engine/shape';
import type { TermWeights } from '@astro/matching/engine/weights';

/** Free devices in use as a share of the node's. */
function freeDevices({ shape: { unitCount }, freeShares }: NodeState): number {
  let free = 0;
  for (let unit = 0; unit < unitCount; unit++) free += freeShares[unit]! / wholeShare;
  return free;
}

/**
 * A request goes where the least is left: devices count more than CPU, so that tasks which need none leave
 * nodes with devices to those that do. From 0 to 1.
 */
export const tightFit: DirectPolicy = {
  kind: 'direct',
  name: 'tight-fit/1',
  score(_demand, _before, after) {
    const devices = freeDevices(after);
    const cpu = after.shape.cpuMillis === 0 ? 0 : Math.max(0, after.freeCpuMillis) / after.shape.cpuMillis;
    return 0.7 / (1 + devices) + 0.3 * (1 - cpu);
  },
};

/**
 * How much each term of a node's score counts. A price of a thousandth of an ASTRO a second weighs as much as
 * the whole fit.
 */
export const poolWeights: TermWeights = {
  version: 1,
  policy: 1,
  price: 1,
  reliability: 1,
  performance: 0,
  locality: 0.5,
  watts: 0.2,
  spread: 0,
  referencePriceAtto: 10n ** 15n,
};
