import type { Demand } from './demand.js';
import type { NodeState } from './policy.js';
import { unitsMax, wholeShare, type Shape, type UnitGroup } from './shape.js';

/**
 * Which units of a node a placement takes, as one number, so that it fits a column of a cache: the position of
 * the first of consecutive units in the sorted state, or one of the two below.
 */
export type Choice = number;
export const noUnits: Choice = -1;
/** No group alone has enough units: the fullest-fitting groups are used up one after the other. */
export const acrossGroups: Choice = -2;

/** A state that the engine fills again and again. */
export class ScratchState implements NodeState {
  shape!: Shape;
  freeCpuMillis = 0;
  readonly freeShares = new Uint16Array(unitsMax);

  copy(from: NodeState): void {
    this.shape = from.shape;
    this.freeCpuMillis = from.freeCpuMillis;
    for (let unit = 0; unit < from.shape.unitCount; unit++) this.freeShares[unit] = from.freeShares[unit]!;
  }
}

/** Position of the first unit of the group with at least the share free; the group's end when there is none. */
function firstFitting({ first, count }: UnitGroup, share: number, freeShares: Uint16Array): number {
  let position = first;
  while (position < first + count && freeShares[position]! < share) position += 1;
  return position;
}

/**
 * The ways in which the demand fits the units of a state, written to `into`; returns how many. For one unit of
 * a shared device: each distinct free share that will do, tightest first; for several: each group that has
 * enough, its tightest units, else the groups together.
 */
export function choicesFor(
  demand: Demand,
  groups: readonly UnitGroup[],
  { freeShares }: Pick<NodeState, 'freeShares'>,
  into: Int32Array,
): number {
  const { unitCount, shareThousandths, kind, isInterconnected } = demand;
  if (unitCount === 0) {
    into[0] = noUnits;
    return kind === undefined || groups.length > 0 ? 1 : 0;
  }
  let choices = 0;
  let fitting = 0;
  for (const group of groups) {
    if (isInterconnected && group.interconnect === '') continue;
    const end = group.first + group.count;
    const start = firstFitting(group, shareThousandths, freeShares);
    fitting += end - start;
    if (end - start < unitCount) continue;
    into[choices] = start;
    choices += 1;
    if (unitCount > 1) continue;
    for (let position = start + 1; position < end; position++) {
      if (freeShares[position] === freeShares[position - 1]) continue;
      into[choices] = position;
      choices += 1;
    }
  }
  if (choices > 0 || isInterconnected || fitting < unitCount) return choices;
  into[0] = acrossGroups;
  return 1;
}

/** The positions in the sorted state that a choice takes, written to `into`; returns how many. */
export function positionsOf(
  choice: Choice,
  demand: Demand,
  groups: readonly UnitGroup[],
  { freeShares }: Pick<NodeState, 'freeShares'>,
  into: Int32Array,
): number {
  if (choice === noUnits) return 0;
  const { unitCount, shareThousandths } = demand;
  if (choice !== acrossGroups) {
    for (let index = 0; index < unitCount; index++) into[index] = choice + index;
    return unitCount;
  }
  const roomOf = (group: UnitGroup) =>
    group.first + group.count - firstFitting(group, shareThousandths, freeShares);
  let taken = 0;
  for (const group of [...groups].sort((a, b) => roomOf(b) - roomOf(a) || a.first - b.first)) {
    const start = firstFitting(group, shareThousandths, freeShares);
    const end = group.first + group.count;
    for (let position = start; position < end && taken < unitCount; position++) {
      into[taken] = position;
      taken += 1;
    }
  }
  return taken;
}

const positions = new Int32Array(unitsMax);

/** Writes to `after` the state that the choice leaves of `before`. */
export function applyChoice(
  choice: Choice,
  demand: Demand,
  groups: readonly UnitGroup[],
  before: NodeState,
  after: ScratchState,
): void {
  after.copy(before);
  after.freeCpuMillis -= demand.cpuMillis;
  if (choice === noUnits) return;
  const count = positionsOf(choice, demand, groups, before, positions);
  for (let index = 0; index < count; index++) {
    after.freeShares[positions[index]!]! -= demand.shareThousandths;
  }
  for (const group of groups) sortGroup(group, after.freeShares);
}

/** By insertion: groups are small and nearly sorted. */
export function sortGroup({ first, count }: UnitGroup, freeShares: Uint16Array, offset = 0): void {
  const start = offset + first;
  for (let index = start + 1; index < start + count; index++) {
    const share = freeShares[index]!;
    let place = index;
    while (place > start && freeShares[place - 1]! > share) {
      freeShares[place] = freeShares[place - 1]!;
      place -= 1;
    }
    freeShares[place] = share;
  }
}

/** Draw of a node in watts: a unit in use at all draws its full power, as does a socket with a busy core. */
export function wattsOf({ shape, freeCpuMillis, freeShares }: NodeState): number {
  const { socketMillis, idleWatts, fullWatts } = shape.cpuPower;
  const busySockets = Math.ceil((shape.cpuMillis - freeCpuMillis) / socketMillis);
  const sockets = Math.ceil(shape.cpuMillis / socketMillis);
  let watts = busySockets * fullWatts + (sockets - busySockets) * idleWatts;
  for (const group of shape.groups) {
    for (let unit = group.first; unit < group.first + group.count; unit++) {
      watts += freeShares[unit] === wholeShare ? group.idleWatts : group.fullWatts;
    }
  }
  return watts;
}
