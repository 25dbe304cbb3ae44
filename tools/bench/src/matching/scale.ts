import { PlacementEngine, type Placement } from '@astro/matching/engine/engine';
import type { Policy } from '@astro/matching/engine/policy';
import type { TermWeights } from '@astro/matching/engine/weights';
import { percentile, rounded, rssMb } from '../measure.js';
import { SyntheticMarket } from './synthetic-fleet.js';

/** One size of the fleet, in a steady state of placements and releases at about 90 % use. */
export type ScalePoint = {
  readonly nodes: number;
  /** Decisions a second, each with the release that makes room for it. */
  readonly decisionsPerSecond: number;
  /** The same by processor time, which the load of other processes changes less. */
  readonly decisionsPerCpuSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly rssMb: number;
  /** Of the devices, when the measurement began. */
  readonly usedPercent: number;
  readonly refusedPercent: number;
  readonly nodesScoredPerDecision: number;
  readonly policyCallsPerDecision: number;
};

export const scaleNodes = [1_000, 10_000, 100_000, 1_000_000] as const;

/** Requests differ in 400 ways, in what they take, where they may run and what they may cost. */
export const requestClasses = 400;
const usedTarget = 0.9;

/**
 * Fills a synthetic fleet, then measures `decisions` of its steady state in which each placement follows the
 * end of another. A tenth as many come first and are not counted.
 */
export function measureScale(
  nodes: number,
  decisions: number,
  policy: Policy,
  weights: TermWeights,
): ScalePoint {
  const market = new SyntheticMarket(nodes, requestClasses);
  const engine = new PlacementEngine({ policy, weights, indexBytesMax: 1.5 * 2 ** 30 });
  let devices = 0;
  for (let index = 0; index < nodes; index++) {
    const offer = market.node(index, nodes);
    devices += offer.devices.length;
    engine.addNode(offer);
  }
  const running = new Running(market);
  const usedPercent = fill(engine, market, running, devices);
  churn(engine, market, running, Math.ceil(decisions / 10));
  const [scored, called] = [engine.indexes.nodesScored, engine.scorer.policyCalls];
  const startedCpu = process.cpuUsage();
  const startedMs = performance.now();
  const { latenciesMs, refused } = churn(engine, market, running, decisions);
  const seconds = (performance.now() - startedMs) / 1_000;
  const cpu = process.cpuUsage(startedCpu);
  return {
    nodes,
    decisionsPerSecond: rounded(decisions / seconds),
    decisionsPerCpuSecond: rounded((decisions * 1e6) / (cpu.user + cpu.system)),
    p50Ms: rounded(percentile(latenciesMs, 0.5), 4),
    p99Ms: rounded(percentile(latenciesMs, 0.99), 4),
    maxMs: rounded(percentile(latenciesMs, 1), 3),
    rssMb: rssMb(),
    usedPercent: rounded(usedPercent, 1),
    refusedPercent: rounded((100 * refused) / decisions, 1),
    nodesScoredPerDecision: rounded((engine.indexes.nodesScored - scored) / decisions, 1),
    policyCallsPerDecision: rounded((engine.scorer.policyCalls - called) / decisions, 1),
  };
}

/** Placements that have not ended; any of them may be the next to end. */
class Running {
  private readonly placements: Placement[] = [];

  constructor(private readonly market: SyntheticMarket) {}

  add(placement: Placement): void {
    this.placements.push(placement);
  }

  takeAny(): Placement | undefined {
    const last = this.placements.pop();
    if (!last || this.placements.length === 0) return last;
    const at = this.market.below(this.placements.length);
    const any = this.placements[at]!;
    this.placements[at] = last;
    return any;
  }
}

/** Places until 90 % of the devices are used, or until 1,000 requests in a row found no place. */
function fill(engine: PlacementEngine, market: SyntheticMarket, running: Running, devices: number): number {
  let used = 0;
  let refusals = 0;
  while (used < usedTarget * devices && refusals < 1_000) {
    const placement = engine.place(market.request('filling'));
    if (placement === 'NoNodeFits') {
      refusals += 1;
      continue;
    }
    refusals = 0;
    for (const { shareThousandths } of placement.hold.units) used += shareThousandths / 1_000;
    running.add(placement);
  }
  return (100 * used) / devices;
}

function churn(engine: PlacementEngine, market: SyntheticMarket, running: Running, decisions: number) {
  const latenciesMs = new Array<number>(decisions);
  let refused = 0;
  for (let decision = 0; decision < decisions; decision++) {
    const ended = running.takeAny();
    if (ended) engine.release(ended.hold);
    const request = market.request('measured');
    const startedMs = performance.now();
    const placement = engine.place(request);
    latenciesMs[decision] = performance.now() - startedMs;
    if (placement === 'NoNodeFits') refused += 1;
    else running.add(placement);
  }
  return { latenciesMs, refused };
}
