import { PlacementEngine } from '@astro/matching/engine/engine';
import type { Hold } from '@astro/matching/engine/hold';
import type { Policy } from '@astro/matching/engine/policy';
import type { TermWeights } from '@astro/matching/engine/weights';
import { percentile, rounded, rssMb } from '../measure.js';
import { fillNode } from './fill.js';
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
/** Holds that may end; with more, the bench itself would need more memory than the engine. */
const endingMax = 200_000;

/**
 * Fills a synthetic fleet, then measures `decisions` of its steady state in which each placement follows the
 * end of another. A fifth as many, but at least 2,000, come first and are not counted.
 */
export function measureScale(
  nodes: number,
  decisions: number,
  policy: Policy,
  weights: TermWeights,
): ScalePoint {
  const market = new SyntheticMarket(nodes, requestClasses);
  const engine = new PlacementEngine({ policy, weights, indexBytesMax: 1.5 * 2 ** 30 });
  const { running, usedPercent } = filledFleet(engine, market, nodes);
  churn(engine, market, running, Math.max(2_000, Math.ceil(decisions / 5)));
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

/** A fleet that begins with most of its devices in use. */
function filledFleet(engine: PlacementEngine, market: SyntheticMarket, nodes: number) {
  const running = new Running(market);
  let [devices, used] = [0, 0];
  for (let index = 0; index < nodes; index++) {
    const offer = market.node(index, nodes);
    engine.addNode(offer);
    devices += offer.devices.length;
    for (const hold of fillNode(engine, market, offer)) {
      for (const { shareThousandths } of hold.units) used += shareThousandths / 1_000;
      running.add(hold);
    }
  }
  return { running, usedPercent: (100 * used) / devices };
}

/** Holds that have not ended; any of them may be the next to end. */
class Running {
  private readonly holds: Hold[] = [];
  private seen = 0;

  constructor(private readonly market: SyntheticMarket) {}

  /** Past the limit, an even sample of all (Vitter's algorithm R); the others never end. */
  add(hold: Hold): void {
    this.seen += 1;
    if (this.holds.length < endingMax) {
      this.holds.push(hold);
      return;
    }
    const at = this.market.below(this.seen);
    if (at < endingMax) this.holds[at] = hold;
  }

  takeAny(): Hold | undefined {
    const last = this.holds.pop();
    if (!last || this.holds.length === 0) return last;
    const at = this.market.below(this.holds.length);
    const any = this.holds[at]!;
    this.holds[at] = last;
    return any;
  }
}

function churn(engine: PlacementEngine, market: SyntheticMarket, running: Running, decisions: number) {
  const latenciesMs = new Array<number>(decisions);
  let refused = 0;
  for (let decision = 0; decision < decisions; decision++) {
    const ended = running.takeAny();
    if (ended) engine.release(ended);
    const request = market.request('measured');
    const startedMs = performance.now();
    const placement = engine.place(request);
    latenciesMs[decision] = performance.now() - startedMs;
    if (placement === 'NoNodeFits') refused += 1;
    else running.add(placement.hold);
  }
  return { latenciesMs, refused };
}
