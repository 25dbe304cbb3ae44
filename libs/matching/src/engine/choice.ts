import type { Demand } from './demand.js';
import type { NodeState } from './policy.js';
import { unitsMax, wholeShare, type Shape, type UnitGroup } from './shape.js';

/**
 * Which units of a node a placement takes, as one number, so that it fits a column of a cache: the position in
 * the state of the first unit, after which units of the same group are taken that fit, or one of the two below.
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

/** Position of the first unit, from `start` on, with at least the share free; `end` when there is none. */
function nextFitting(start: number, end: number, share: number, freeShares: Uint16Array): number {
  let position = start;
  while (position < end && freeShares[position]! < share) position += 1;
  return position;
}

function countFitting({ first, count }: UnitGroup, share: number, freeShares: Uint16Array): number {
  let fitting = 0;
  for (let position = first; position < first + count; position++) {
    if (freeShares[position]! >= share) fitting += 1;
  }
  return fitting;
}

/**
 * The ways in which the demand fits the units of a state, written to `into`; returns how many. For one unit of
 * a shared device: each distinct free share that will do; for several: each group that has enough, else the
 * groups together. In a sorted state the tightest come first.
 */
export function choicesFor(
  demand: Demand,
  groups: readonly UnitGroup[],
  { freeShares }: Pick<NodeState, 'freeShares'>,
  into: Int32Array,
): number {
  const { unitCount, shareThousandths: share, kind, isInterconnected } = demand;
  if (unitCount === 0) {
    into[0] = noUnits;
    return kind === undefined || groups.length > 0 ? 1 : 0;
  }
  let choices = 0;
  let fitting = 0;
  for (const group of groups) {
    if (isInterconnected && group.interconnect === '') continue;
    const inGroup = countFitting(group, share, freeShares);
    fitting += inGroup;
    if (inGroup < unitCount) continue;
    const end = group.first + group.count;
    let position = nextFitting(group.first, end, share, freeShares);
    into[choices] = position;
    choices += 1;
    if (unitCount > 1) continue;
    for (;;) {
      const last = freeShares[position]!;
      position = nextFitting(position + 1, end, share, freeShares);
      if (position >= end) break;
      if (freeShares[position] === last) continue;
      into[choices] = position;
      choices += 1;
    }
  }
  if (choices > 0 || isInterconnected || fitting < unitCount) return choices;
  into[0] = acrossGroups;
  return 1;
}

/** The positions in the state that a choice takes, written to `into`; returns how many. */
export function positionsOf(
  choice: Choice,
  demand: Demand,
  groups: readonly UnitGroup[],
  { shape, freeShares }: NodeState,
  into: Int32Array,
): number {
  if (choice === noUnits) return 0;
  const { unitCount, shareThousandths: share } = demand;
  let taken = 0;
  const takeFrom = (start: number, end: number) => {
    for (
      let position = nextFitting(start, end, share, freeShares);
      position < end && taken < unitCount;
      position = nextFitting(position + 1, end, share, freeShares)
    ) {
      into[taken] = position;
      taken += 1;
    }
  };
  if (choice !== acrossGroups) {
    takeFrom(choice, shape.unitCount);
    return taken;
  }
  const roomOf = (group: UnitGroup) => countFitting(group, share, freeShares);
  for (const group of [...groups].sort((a, b) => roomOf(b) - roomOf(a) || a.first - b.first)) {
    takeFrom(group.first, group.first + group.count);
  }
  return taken;
}

const positions = new Int32Array(unitsMax);

/** Writes to `after` the state that the choice leaves of `before`, sorted again where states are. */
export function applyChoice(
  choice: Choice,
  demand: Demand,
  groups: readonly UnitGroup[],
  before: NodeState,
  after: ScratchState,
  isSorted: boolean,
): void {
  after.copy(before);
  after.freeCpuMillis -= demand.cpuMillis;
  if (choice === noUnits) return;
  const count = positionsOf(choice, demand, groups, before, positions);
  for (let index = 0; index < count; index++) {
    after.freeShares[positions[index]!]! -= demand.shareThousandths;
  }
  if (isSorted) for (const group of groups) sortGroup(group, after.freeShares);
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
