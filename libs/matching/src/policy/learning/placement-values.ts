import { groupSuits, type Demand } from '../../engine/demand.js';
import { Random } from '../../engine/random.js';
import { unitsAskedFor, type DemandRate, type ShapeCount } from '../demand-rate.js';
import { typicalDemands, type TypicalDemand } from '../fragmentation.js';
import type { LinearSolver } from './linear-solver.js';
import { drawScenarios, type Scenario } from './scenarios.js';

/** What the policy `astro` knows of a fleet and its arrivals. Plain data. */
export type PlacementValues = {
  readonly demands: readonly Demand[];
  readonly scenarios: readonly Scenario[];
  readonly typical: readonly TypicalDemand[];
  /**
   * For each demand that not every unit of the fleet suits: the units that its requests ask for at 100 % arrivals,
   * for each unit that suits them. 0 for all others.
   */
  readonly scarcity: Float64Array;
};

/** The rarest demands above this number are left out of learning: the programs would grow with them. */
const demandsMax = 512;

/**
 * Learns what free capacity is worth from how many nodes there are of each shape and how often each demand arrives.
 * Only proportions of the rates matter. The same arguments give the same values.
 */
export function learnPlacementValues(
  solver: LinearSolver,
  fleet: readonly ShapeCount[],
  arrivals: readonly DemandRate[],
  seed: number,
): PlacementValues {
  const mix = atFullLoad(fleet, arrivals);
  const demands = mix.map(({ demand }) => demand);
  const scenarios = mix.length === 0 ? [] : drawScenarios(solver, fleet, mix, new Random(seed));
  const scarcity = Float64Array.from(mix, entry => scarcityOf(fleet, entry));
  return { demands, scenarios, typical: typicalDemands(arrivals), scarcity };
}

/** The mix scaled so that it asks for all units of the fleet; empty where nobody asks for units. */
function atFullLoad(fleet: readonly ShapeCount[], arrivals: readonly DemandRate[]): DemandRate[] {
  const mix = arrivals
    .filter(({ rate }) => rate > 0)
    .toSorted((a, b) => b.rate - a.rate || a.demand.id - b.demand.id)
    .slice(0, demandsMax);
  const asked = mix.reduce((sum, { demand, rate }) => sum + unitsAskedFor(demand) * rate, 0);
  const units = fleet.reduce((sum, { shape, count }) => sum + shape.unitCount * count, 0);
  if (asked === 0 || units === 0) return [];
  return mix.map(({ demand, rate }) => ({ demand, rate: (rate * units) / asked }));
}

function scarcityOf(fleet: readonly ShapeCount[], { demand, rate }: DemandRate): number {
  if (demand.unitCount === 0) return 0;
  let suitable = 0;
  let all = 0;
  for (const { shape, count } of fleet) {
    for (const group of shape.groups) {
      all += group.count * count;
      if (groupSuits(demand, group)) suitable += group.count * count;
    }
  }
  return suitable === 0 || suitable === all ? 0 : (unitsAskedFor(demand) * rate) / suitable;
}
