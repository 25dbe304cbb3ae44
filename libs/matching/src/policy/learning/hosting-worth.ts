import type { Demand } from '../../engine/demand.js';
import { wholeShare } from '../../engine/shape.js';
import { sharesUnit } from '../demand-rate.js';
import { packSteps, packWorth, stepsOf, type Item } from './knapsack.js';
import type { Scenario } from './scenarios.js';

/** Units for each vCPU: the prices of CPU among which each valuation takes the one that binds. */
export const cpuPrices = [
  0, 0.004, 0.008, 0.012, 0.016, 0.02, 0.025, 0.03, 0.035, 0.04, 0.05, 0.06, 0.07, 0.085, 0.1, 0.13, 0.17,
  0.25, 0.4, 0.8,
] as const;

const pack = new Float64Array(packSteps + 1);

/**
 * What a free part of a unit can host, less the CPU that it needs for it at each price of CPU. The row for `n` free
 * steps begins at `n · rowLength`; in it stand, for each price, the scenarios one after the other: the best price is
 * about the same in all scenarios, so what is looked up lies together.
 *
 * Each scenario has a price of CPU of its own: averaged before the price is chosen, they lose points where CPU or a
 * model is scarce.
 *
 * @param hosted positions of the demands that the unit can host
 */
export function hostingWorth(
  demands: readonly Demand[],
  hosted: readonly number[],
  scenarios: readonly Scenario[],
): Float64Array {
  const rowLength = rowLengthOf(scenarios);
  const table = new Float64Array((packSteps + 1) * rowLength);
  for (const [index, scenario] of scenarios.entries()) {
    const present = hosted.filter(row => scenario.isPresent[row] === 1);
    for (const [price, cpuPrice] of cpuPrices.entries()) {
      packAtPrice(demands, present, scenario.worth, cpuPrice);
      const column = price * scenarios.length + index;
      for (let free = 1; free <= packSteps; free++) table[free * rowLength + column] = pack[free]!;
    }
  }
  return table;
}

export const rowLengthOf = (scenarios: readonly Scenario[]): number => scenarios.length * cpuPrices.length;

/** Fills `pack`. */
function packAtPrice(
  demands: readonly Demand[],
  present: readonly number[],
  worths: Float64Array,
  cpuPrice: number,
): void {
  const items: Item[] = [];
  let whole = 0;
  for (const row of present) {
    const demand = demands[row]!;
    const worth = worths[row]! - (cpuPrice * demand.cpuMillis) / 1000;
    if (sharesUnit(demand)) items.push({ steps: stepsOf(demand.shareThousandths), worth });
    else whole = Math.max(whole, worth / demand.unitCount);
  }
  packWorth(items, pack);
  pack[packSteps] = Math.max(pack[packSteps]!, whole);
}

/** Rounded down: a part of a step hosts nothing. */
export const freeSteps = (freeThousandths: number): number =>
  Math.floor((freeThousandths * packSteps) / wholeShare);
