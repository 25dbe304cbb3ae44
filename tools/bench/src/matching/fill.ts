import type { PlacementEngine } from '@astro/matching/engine/engine';
import type { Hold, UnitHold } from '@astro/matching/engine/hold';
import type { NodeOffer } from '@astro/matching/engine/offer';
import type { Requirements } from '@astro/matching/engine/request';
import type { SyntheticMarket } from './synthetic-fleet.js';

const usedTarget = 0.9;
/** A node is left as it is when so many requests in a row did not fit it. */
const refusalsMax = 12;

/** What is held of one node while it is filled. */
type Tally = { cpuMillis: number; memoryMib: number; readonly free: number[]; used: number };

/**
 * Takes requests of the market on the node until 90 % of its devices are used, or of its CPU where it has none:
 * first fit, without regard to a policy, so that a fleet of any size begins in use within seconds.
 */
export function fillNode(engine: PlacementEngine, market: SyntheticMarket, node: NodeOffer): readonly Hold[] {
  const tally: Tally = {
    cpuMillis: node.cpuMillis,
    memoryMib: node.memoryMib,
    free: node.devices.map(() => 1_000),
    used: 0,
  };
  const holds: Hold[] = [];
  const isUsed = () =>
    node.devices.length > 0
      ? tally.used >= usedTarget * 1_000 * node.devices.length
      : tally.cpuMillis <= (1 - usedTarget) * node.cpuMillis;
  let refusals = 0;
  while (refusals < refusalsMax && !isUsed()) {
    const hold = takeFirstFit(market.request('filling').requirements, node, tally);
    if (!hold) {
      refusals += 1;
      continue;
    }
    refusals = 0;
    engine.take(hold);
    holds.push(hold);
  }
  return holds;
}

function takeFirstFit(
  { cpuMillis, memoryMib, diskMib, devices }: Requirements,
  { nodeId }: NodeOffer,
  tally: Tally,
): Hold | undefined {
  if (cpuMillis > tally.cpuMillis || memoryMib > tally.memoryMib) return undefined;
  const { count, shareThousandths } = devices ?? { count: 0, shareThousandths: 0 };
  const fitting = [...tally.free.keys()].filter(device => tally.free[device]! >= shareThousandths);
  if (fitting.length < count) return undefined;
  const units = fitting.slice(0, count).map<UnitHold>(device => ({ unit: device, device, shareThousandths }));
  for (const { device } of units) tally.free[device]! -= shareThousandths;
  tally.used += count * shareThousandths;
  tally.cpuMillis -= cpuMillis;
  tally.memoryMib -= memoryMib;
  return { nodeId, cpuMillis, memoryMib, diskMib, bandwidthMbps: 0, units };
}
