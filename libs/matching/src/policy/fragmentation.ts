import { groupSuits, type Demand } from '../engine/demand.js';
import type { NodeState } from '../engine/policy.js';
import type { Shape, UnitGroup } from '../engine/shape.js';
import type { DemandRate } from './demand-rate.js';

/** A demand and how likely the next request is of it. */
export type TypicalDemand = { readonly demand: Demand; readonly probability: number };

/** FGD takes the most frequent demands that together make this part of a workload. */
const typicalPart = 0.95;

/**
 * The most frequent demands of a workload, those for CPU alone included.
 *
 * Source: the simulator of Weng et al., "Beware of Fragmentation", USENIX ATC 2023.
 */
export function typicalDemands(mix: readonly DemandRate[]): TypicalDemand[] {
  const total = mix.reduce((sum, { rate }) => sum + rate, 0);
  const typical: DemandRate[] = [];
  let covered = 0;
  for (const entry of mix.toSorted((a, b) => b.rate - a.rate || a.demand.id - b.demand.id)) {
    if (covered >= typicalPart * total) break;
    typical.push(entry);
    covered += entry.rate;
  }
  return typical.map(({ demand, rate }) => ({ demand, probability: rate / covered }));
}

/** A typical demand on one shape, and the units that it may use there. */
export type TypicalOnShape = TypicalDemand & { readonly groups: readonly UnitGroup[] };

/** The typical demands for units that some unit of the shape suits; found once for each shape. */
export function typicalByShape(
  typical: readonly TypicalDemand[],
): (shape: Shape) => readonly TypicalOnShape[] {
  const known = new WeakMap<Shape, readonly TypicalOnShape[]>();
  return shape => {
    const found = known.get(shape);
    if (found) return found;
    const onShape = typical
      .filter(({ demand }) => demand.unitCount > 0)
      .map(entry => ({ ...entry, groups: shape.groups.filter(group => groupSuits(entry.demand, group)) }))
      .filter(({ groups }) => groups.length > 0);
    known.set(shape, onShape);
    return onShape;
  };
}

/**
 * F_n of the paper: how many thousandths of a node's idle units the next request is expected not to be able to use.
 * A request that cannot run on the node at all, and one that asks for no unit, can use none of them.
 */
export function fragmentation(typical: readonly TypicalDemand[]): (state: NodeState) => number {
  const onShape = typicalByShape(typical);
  return ({ shape, freeCpuMillis, freeShares }) => {
    let idle = 0;
    for (let unit = 0; unit < shape.unitCount; unit++) idle += freeShares[unit]!;
    let usable = 0;
    for (const { demand, probability, groups } of onShape(shape)) {
      if (demand.cpuMillis <= freeCpuMillis)
        usable += probability * usableThousandths(freeShares, demand, groups);
    }
    return idle - usable;
  };
}

function usableThousandths(freeShares: Uint16Array, demand: Demand, groups: readonly UnitGroup[]): number {
  let fitting = 0;
  let thousandths = 0;
  for (const { first, count } of groups) {
    for (let unit = first; unit < first + count; unit++) {
      if (freeShares[unit]! < demand.shareThousandths) continue;
      fitting++;
      thousandths += freeShares[unit]!;
    }
  }
  return fitting < demand.unitCount ? 0 : thousandths;
}
