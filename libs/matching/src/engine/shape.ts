import type { CpuPower, DeviceKind, NodeOffer } from './offer.js';

/** Units of a node that are alike: a task that takes one may as well take another. */
export type UnitGroup = {
  readonly kind: DeviceKind;
  readonly vendor: string;
  readonly model: string;
  readonly memoryMib: number;
  /** Profile of a fixed slice; empty for a device. */
  readonly profile: string;
  readonly interconnect: string;
  readonly isShareable: boolean;
  /** Of one unit; a device's draw is divided among its slices. */
  readonly idleWatts: number;
  readonly fullWatts: number;
  /** Position of the first unit among the node's units. */
  readonly first: number;
  readonly count: number;
};

/** What a unit is in the node's offer. */
export type UnitOrigin = {
  readonly device: number;
  /** Index of the slice; absent for a whole device. */
  readonly slice?: number;
};

/** Hardware of a node, shared by all nodes that have the same. */
export type Shape = {
  /** Dense, from 0, in order of first appearance. */
  readonly id: number;
  readonly cpuMillis: number;
  readonly memoryMib: number;
  readonly cpuPower: CpuPower;
  readonly groups: readonly UnitGroup[];
  /** Whole devices and slices, at most `unitsMax`. */
  readonly unitCount: number;
  readonly origins: readonly UnitOrigin[];
};

/** Eight devices of seven slices, and room. The engine copies the units of a node for each score. */
export const unitsMax = 64;
export const wholeShare = 1000;

export class ShapeTable {
  private readonly shapes: Shape[] = [];
  private readonly byKey = new Map<string, Shape>();

  /** The shape of the offer; the same object for the same hardware. */
  intern(offer: Pick<NodeOffer, 'cpuMillis' | 'memoryMib' | 'cpuPower' | 'devices'>): Shape {
    const { cpuMillis, memoryMib, cpuPower, devices } = offer;
    const key = JSON.stringify([cpuMillis, memoryMib, cpuPower, devices]);
    const known = this.byKey.get(key);
    if (known) return known;
    const shape = shapeOf(this.shapes.length, offer);
    this.shapes.push(shape);
    this.byKey.set(key, shape);
    return shape;
  }

  at(id: number): Shape {
    const shape = this.shapes[id];
    if (!shape) throw new Error(`shape ${id} was never interned`);
    return shape;
  }

  get size(): number {
    return this.shapes.length;
  }
}

type Unit = { readonly origin: UnitOrigin; readonly kindOf: Omit<UnitGroup, 'first' | 'count'> };

function shapeOf(
  id: number,
  {
    cpuMillis,
    memoryMib,
    cpuPower,
    devices,
  }: Pick<NodeOffer, 'cpuMillis' | 'memoryMib' | 'cpuPower' | 'devices'>,
): Shape {
  const units = devices.flatMap((device, index) => (device.kind === 'cpu' ? [] : unitsOf(device, index)));
  if (units.length > unitsMax) throw new RangeError(`a node has ${units.length} units, over ${unitsMax}`);
  const alike = new Map<string, Unit[]>();
  for (const unit of units) {
    const key = JSON.stringify(unit.kindOf);
    const others = alike.get(key);
    if (others) others.push(unit);
    else alike.set(key, [unit]);
  }
  const groups: UnitGroup[] = [];
  const origins: UnitOrigin[] = [];
  for (const members of alike.values()) {
    groups.push({ ...members[0]!.kindOf, first: origins.length, count: members.length });
    origins.push(...members.map(member => member.origin));
  }
  // The CPU is held by thousandths of a core: a fact of the node to match by, and no unit to hand out.
  for (const device of devices.filter(({ kind }) => kind === 'cpu')) {
    for (const { kindOf } of unitsOf(device, 0)) groups.push({ ...kindOf, first: units.length, count: 0 });
  }
  return { id, cpuMillis, memoryMib, cpuPower: { ...cpuPower }, groups, unitCount: units.length, origins };
}

function unitsOf(device: NodeOffer['devices'][number], index: number): readonly Unit[] {
  const { kind, vendor, model, interconnect, idleWatts, fullWatts } = device;
  const shared = { kind, vendor, model, interconnect };
  if (device.slices.length === 0) {
    const { memoryMib, isShareable } = device;
    const kindOf = { ...shared, memoryMib, profile: '', isShareable, idleWatts, fullWatts };
    return [{ origin: { device: index }, kindOf }];
  }
  const parts = device.slices.length;
  return device.slices.map(({ profile, memoryMib }, slice) => ({
    origin: { device: index, slice },
    kindOf: {
      ...shared,
      memoryMib,
      profile,
      isShareable: false,
      idleWatts: idleWatts / parts,
      fullWatts: fullWatts / parts,
    },
  }));
}
