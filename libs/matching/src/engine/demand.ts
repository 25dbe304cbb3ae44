import type { DeviceKind } from './offer.js';
import type { Requirements } from './request.js';
import type { Shape, UnitGroup } from './shape.js';

/**
 * What a task takes of a node, without where it may run and what it may cost: requests that differ in the
 * rest only share all scores. Memory, disk and bandwidth filter but never score, so they are not part of it.
 */
export type Demand = {
  /** Dense, from 0, in order of first appearance. */
  readonly id: number;
  readonly cpuMillis: number;
  /** Units held; 0 for a task that needs no device or only a CPU. */
  readonly unitCount: number;
  /** Of each unit; 0 without units. */
  readonly shareThousandths: number;
  /** Absent: any node. */
  readonly kind?: DeviceKind;
  readonly profile: string;
  readonly vendor: string;
  /** Sorted; empty: any. */
  readonly models: readonly string[];
  readonly unitMemoryMib: number;
  readonly isInterconnected: boolean;
};

export class DemandTable {
  private readonly demands: Demand[] = [];
  private readonly byKey = new Map<string, Demand>();
  /** For each demand, by shape id. */
  private readonly eligible: (readonly UnitGroup[] | undefined)[][] = [];

  clear(): void {
    this.demands.length = 0;
    this.eligible.length = 0;
    this.byKey.clear();
  }

  intern({ cpuMillis, devices }: Pick<Requirements, 'cpuMillis' | 'devices'>): Demand {
    const fields = {
      cpuMillis,
      unitCount: devices?.count ?? 0,
      shareThousandths: devices && devices.count > 0 ? devices.shareThousandths : 0,
      ...(devices && { kind: devices.kind }),
      profile: devices?.profile ?? '',
      vendor: devices?.vendor ?? '',
      models: [...(devices?.models ?? [])].sort(),
      unitMemoryMib: devices?.memoryMib ?? 0,
      isInterconnected: devices !== undefined && devices.count > 1 && devices.isInterconnected,
    };
    const key = JSON.stringify(fields);
    const known = this.byKey.get(key);
    if (known) return known;
    const demand = { id: this.demands.length, ...fields };
    this.demands.push(demand);
    this.eligible.push([]);
    this.byKey.set(key, demand);
    return demand;
  }

  /** Groups of the shape that the demand may take units of, whatever is free. */
  groupsFor(demand: Demand, shape: Shape): readonly UnitGroup[] {
    const known = this.eligible[demand.id]!;
    return (known[shape.id] ??= shape.groups.filter(group => groupSuits(demand, group)));
  }

  get size(): number {
    return this.demands.length;
  }
}

export const groupSuits = (demand: Demand, group: UnitGroup): boolean =>
  demand.kind === group.kind &&
  demand.profile === group.profile &&
  (demand.vendor === '' || demand.vendor === group.vendor) &&
  (demand.models.length === 0 || demand.models.includes(group.model)) &&
  group.memoryMib >= demand.unitMemoryMib &&
  (demand.shareThousandths % 1000 === 0 || group.isShareable);

/** Whether a node of the shape could host the demand when it is empty. */
export function couldHost(demand: Demand, shape: Shape, groups: readonly UnitGroup[]): boolean {
  return demand.cpuMillis <= shape.cpuMillis && groupsSuffice(demand, groups);
}

/** Units enough in groups that suit the demand, in one interconnect where that is asked for. */
export function groupsSuffice(demand: Demand, groups: readonly UnitGroup[]): boolean {
  if (demand.kind === undefined) return true;
  if (demand.unitCount === 0) return groups.length > 0;
  if (demand.isInterconnected) return groups.some(g => g.interconnect !== '' && g.count >= demand.unitCount);
  return groups.reduce((units, group) => units + group.count, 0) >= demand.unitCount;
}
