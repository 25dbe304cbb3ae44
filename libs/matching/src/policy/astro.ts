import { groupSuits, type Demand } from '../engine/demand.js';
import type { PotentialPolicy } from '../engine/policy.js';
import { wholeShare, type Shape, type UnitGroup } from '../engine/shape.js';
import { freeUnits, groupCouldHost, unitsAskedFor } from './demand-rate.js';
import { typicalByShape, type TypicalDemand } from './fragmentation.js';
import { FreeRows } from './free-rows.js';
import { cpuPrices, hostingWorth, rowLengthOf } from './learning/hosting-worth.js';
import type { PlacementValues } from './learning/placement-values.js';

/**
 * How much each part of the value counts, in units. One set for every workload, found on the published trace
 * (docs/research/placement.md).
 */
const weights = { copies: 0.03, scarcity: 0.03, concentration: 0.003 } as const;

/** Gains that differ by less are equal: they come of adding in another order. */
const gainStep = 1e-6;

/** What the policy keeps of a shape. */
type ShapeWorth = {
  /** One for each group of the shape. */
  readonly tables: readonly Float64Array[];
  /** Of each group: units that requests which not every unit suits ask for, for each unit that suits them. */
  readonly scarcity: readonly number[];
  readonly typical: readonly TypicalCopies[];
};

/**
 * Places a request where it takes the least of what the pool can still host. The value of a node is the sum of
 *
 * 1. what its free units and CPU can host at best, of requests that are worth what they use up of the whole fleet:
 *    a relaxation by Lagrange, the least over prices of CPU, averaged over scenarios of demand;
 * 2. a little for each copy of the typical requests that still fits, which serves the near future;
 * 3. a little for free units that few others can replace for requests that ask for a model;
 * 4. a little for free units that stand together on one node.
 *
 * Equal gains go to the node with the least free CPU and units, then to the first in the engine's order.
 *
 * The value of the free units is the fluid relaxation of network revenue management (Talluri and van Ryzin, 1998:
 * bid prices of a linear program), resolved to single nodes.
 */
export function astro(values: PlacementValues): PotentialPolicy {
  const worthOf = worthByShape(values);
  const scenarioWeights = Float64Array.from(values.scenarios, ({ weight }) => weight);
  const rows = new FreeRows(rowLengthOf(values.scenarios));
  return {
    kind: 'potential',
    name: 'astro',
    potential: state => {
      const { shape, freeCpuMillis, freeShares } = state;
      const { tables, scarcity, typical } = worthOf(shape);
      const idle = freeUnits(freeShares, shape.unitCount);
      rows.fill(state, tables);
      let value = hostedWorth(rows, freeCpuMillis, scenarioWeights);
      value += weights.copies * copiesWorth(rows, freeCpuMillis, typical);
      for (const [index, { first, count }] of shape.groups.entries()) {
        if (scarcity[index] === 0) continue;
        value += weights.scarcity * scarcity[index]! * freeUnits(freeShares.subarray(first), count);
      }
      return shape.unitCount === 0 ? value : value + (weights.concentration * idle * idle) / shape.unitCount;
    },
    // What is free makes a difference of less than one step, so it decides among equal gains alone.
    score: (gain, _demand, { shape, freeCpuMillis, freeShares }) => {
      const free = freeCpuMillis / 128_000 + freeUnits(freeShares, shape.unitCount) / 8;
      return (Math.round(gain / gainStep) - free / (1 + free)) * gainStep;
    },
  };
}

/** Tables of 650 KB. Beyond this many they are all forgotten, and made anew as they are needed. */
const tablesMax = 256;

/** Tables are made when a group of units is first seen, in some milliseconds; groups that host the same share one. */
function worthByShape(values: PlacementValues): (shape: Shape) => ShapeWorth {
  const { demands, scenarios, scarcity } = values;
  const typicalOf = copiesByShape(values.typical);
  let known = new WeakMap<Shape, ShapeWorth>();
  const tables = new Map<string, Float64Array>();
  const tableOf = (shape: Shape, group: UnitGroup): Float64Array => {
    const hosted = [...demands.keys()].filter(row => groupCouldHost(demands[row]!, shape, group));
    const key = hosted.join();
    let table = tables.get(key);
    if (table) return table;
    if (tables.size >= tablesMax) {
      tables.clear();
      known = new WeakMap();
    }
    table = hostingWorth(demands, hosted, scenarios);
    tables.set(key, table);
    return table;
  };
  const scarcityOf = (group: UnitGroup) =>
    demands.reduce((sum, demand, row) => (groupSuits(demand, group) ? sum + scarcity[row]! : sum), 0);
  return shape => {
    const found = known.get(shape);
    if (found) return found;
    const { groups } = shape;
    const worth = {
      tables: groups.map(group => tableOf(shape, group)),
      scarcity: groups.map(scarcityOf),
      typical: typicalOf(shape),
    };
    known.set(shape, worth);
    return worth;
  };
}

/**
 * The value of a node's free units and CPU: for each scenario the least over the prices of CPU of what the CPU costs
 * and what the units can host at that price.
 */
function hostedWorth(rows: FreeRows, freeCpuMillis: number, scenarioWeights: Float64Array): number {
  const last = cpuPrices.length - 1;
  const vcpu = freeCpuMillis / 1000;
  const scenarios = scenarioWeights.length;
  const boundAt = (scenario: number, price: number) =>
    rows.addedTo(cpuPrices[price]! * vcpu, price * scenarios + scenario);
  let [value, price] = [0, 0];
  for (let scenario = 0; scenario < scenarios; scenario++) {
    // What is minimised is convex in the price, and the best price differs little from scenario to scenario.
    let least = boundAt(scenario, price);
    while (price < last) {
      const bound = boundAt(scenario, price + 1);
      if (bound >= least) break;
      least = bound;
      price += 1;
    }
    while (price > 0) {
      const bound = boundAt(scenario, price - 1);
      if (bound >= least) break;
      least = bound;
      price -= 1;
    }
    value += scenarioWeights[scenario]! * least;
  }
  return value;
}

/** A typical request on a shape; how many copies a unit hosts stands by the thousandths that are free of it. */
type TypicalCopies = {
  readonly cpuMillis: number;
  readonly unitCount: number;
  /** Units that it asks for, by how likely it is. */
  readonly worth: number;
  /** Groups of the shape that suit it. */
  readonly groupIndexes: readonly number[];
  readonly copiesByFree: Uint16Array;
};

/** Looked up rather than divided: this is asked for every unit of every state that is valued. */
function copiesByShape(typical: readonly TypicalDemand[]): (shape: Shape) => readonly TypicalCopies[] {
  const typicalOf = typicalByShape(typical);
  const copiesOf = new Map(typical.map(({ demand }) => [demand, copiesByFree(demand)]));
  return shape =>
    typicalOf(shape).map(({ demand, probability, groups }) => ({
      cpuMillis: demand.cpuMillis,
      unitCount: demand.unitCount,
      worth: probability * unitsAskedFor(demand),
      groupIndexes: groups.map(group => shape.groups.indexOf(group)),
      copiesByFree: copiesOf.get(demand)!,
    }));
}

const copiesByFree = ({ unitCount, shareThousandths }: Demand): Uint16Array =>
  Uint16Array.from({ length: wholeShare + 1 }, (_, free) =>
    unitCount === 0 ? 0 : Math.floor(free / shareThousandths),
  );

/** Units that copies of each typical request alone could use, by how likely the request is. */
function copiesWorth(rows: FreeRows, freeCpuMillis: number, typical: readonly TypicalCopies[]): number {
  const { groupStarts, freeThousandths, copies: units } = rows;
  let worth = 0;
  for (const { cpuMillis, unitCount, worth: worthOfCopy, groupIndexes, copiesByFree } of typical) {
    if (cpuMillis > freeCpuMillis) continue;
    let fitting = 0;
    for (const group of groupIndexes) {
      for (let row = groupStarts[group]!; row < groupStarts[group + 1]!; row++) {
        fitting += units[row]! * copiesByFree[freeThousandths[row]!]!;
      }
    }
    if (fitting < unitCount) continue;
    const copies = Math.floor(fitting / unitCount);
    worth +=
      worthOfCopy * (cpuMillis === 0 ? copies : Math.min(copies, Math.floor(freeCpuMillis / cpuMillis)));
  }
  return worth;
}
