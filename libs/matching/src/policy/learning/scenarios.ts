import type { Random } from '../../engine/random.js';
import { unitsAskedFor, type DemandRate, type ShapeCount } from '../demand-rate.js';
import { CapacityProgram } from './capacity-program.js';
import { poisson, stratified } from './draws.js';
import type { LinearSolver } from './linear-solver.js';

/** One draw of what will be asked for. */
export type Scenario = {
  /** Of all scenarios they sum to 1. */
  readonly weight: number;
  /** What one request of each demand uses up of the fleet, in units: what it asks for less what it adds. */
  readonly worth: Float64Array;
  /** Whether a node can count on seeing another request of each demand. */
  readonly isPresent: Uint8Array;
};

/**
 * How much is asked for, as a part of the fleet's units, and how much that case counts. Where there is room for all,
 * a request uses up nothing; the more is asked for, the dearer is what the fleet has little of.
 */
const loads = [
  { load: 0.96, weight: 1 },
  { load: 0.98, weight: 2 },
  { load: 1.1, weight: 1 },
  { load: 1.2, weight: 0.3 },
  { load: 1.3, weight: 2 },
] as const;

/** Random draws of each load: with 2 the seed moves the allocation by 0.3 points, with 8 by less than 0.1. */
const drawsOfLoad = 8;

/** Chances to see a demand again: as many as requests of it for each node of a full fleet, times this. */
const presenceFactor = 16;

/** @param mix rates scaled so that together they ask for all units of the fleet */
export function drawScenarios(
  solver: LinearSolver,
  fleet: readonly ShapeCount[],
  mix: readonly DemandRate[],
  random: Random,
): Scenario[] {
  const prices = drawPrices(solver, fleet, mix, random);
  const nodes = fleet.reduce((sum, { count }) => sum + count, 0);
  const weightSum = prices.reduce((sum, { weight }) => sum + weight, 0);
  const chances = mix.map(() => stratified(prices.length, random));
  return prices.map(({ weight, ofDemand }, draw) => ({
    weight: weight / weightSum,
    worth: Float64Array.from(mix, ({ demand }, row) => unitsAskedFor(demand) - ofDemand[row]!),
    isPresent: Uint8Array.from(mix, ({ rate }, row) =>
      chances[row]![draw]! < 1 - Math.exp((-presenceFactor * rate) / nodes) ? 1 : 0,
    ),
  }));
}

function drawPrices(
  solver: LinearSolver,
  fleet: readonly ShapeCount[],
  mix: readonly DemandRate[],
  random: Random,
): { weight: number; ofDemand: Float64Array }[] {
  const cpuServed = Math.min(1, cpuOf(fleet) / cpuAskedFor(mix));
  const program = new CapacityProgram(
    solver,
    fleet,
    mix.map(({ demand }) => demand),
  );
  try {
    return Array.from({ length: drawsOfLoad }, () =>
      loads.map(({ load, weight }) => {
        const requests = mix.map(({ demand, rate }) =>
          demand.unitCount === 0 ? Math.min(load, cpuServed) * rate : poisson(load * rate, random),
        );
        return { weight, ofDemand: program.pricesOf(requests) };
      }),
    ).flat();
  } finally {
    program.dispose();
  }
}

const cpuOf = (fleet: readonly ShapeCount[]): number =>
  fleet.reduce((sum, { shape, count }) => sum + shape.cpuMillis * count, 0);

/** Requests for CPU and for units run out of CPU together: of those for CPU alone no more than that is served. */
const cpuAskedFor = (mix: readonly DemandRate[]): number =>
  mix.reduce((sum, { demand, rate }) => sum + demand.cpuMillis * rate, 0);
