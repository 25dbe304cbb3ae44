import { couldHost, groupSuits, type Demand } from '../engine/demand.js';
import { wholeShare, type Shape, type UnitGroup } from '../engine/shape.js';

/** How often a demand arrives. What the unit is, the user of it says; most need the proportions only. */
export type DemandRate = { readonly demand: Demand; readonly rate: number };

/** How many nodes of a fleet have the shape. */
export type ShapeCount = { readonly shape: Shape; readonly count: number };

/** Units asked for, as a number of whole ones. */
export const unitsAskedFor = (demand: Demand): number =>
  (demand.unitCount * demand.shareThousandths) / wholeShare;

/** Whether several tasks of this demand fit on one unit. */
export const sharesUnit = (demand: Demand): boolean =>
  demand.unitCount === 1 && demand.shareThousandths < wholeShare;

/** Whether an empty node of the shape could run it with units of this group. */
export const groupCouldHost = (demand: Demand, shape: Shape, group: UnitGroup): boolean =>
  demand.unitCount > 0 && demand.unitCount <= group.count && groupSuits(demand, group) && fits(demand, shape);

/** Whether an empty node of the shape could run a demand that asks for no units. */
export const shapeCouldHostCpu = (demand: Demand, shape: Shape): boolean =>
  demand.unitCount === 0 && fits(demand, shape);

const fits = (demand: Demand, shape: Shape): boolean =>
  couldHost(
    demand,
    shape,
    shape.groups.filter(group => groupSuits(demand, group)),
  );

/** Free units of a node, as a number of whole ones. */
export function freeUnits(freeShares: Uint16Array, unitCount: number): number {
  let thousandths = 0;
  for (let unit = 0; unit < unitCount; unit++) thousandths += freeShares[unit]!;
  return thousandths / wholeShare;
}
