import type { PlacementEngine } from '@astro/matching/engine/engine';
import type { Hold } from '@astro/matching/engine/hold';
import { holdOfUnit, isHoused, type Booking } from './booking.js';
import type { Pool } from '../pool-state.js';

/** What one unit keeps of its node, and when. */
type Kept = {
  readonly booking: Booking;
  readonly fromMs: number;
  readonly untilMs: number;
  readonly hold: Hold;
};

/**
 * What bookings keep of the nodes from some moment on. Bookings are facts with times, so that the fleets of the pool
 * do not know them: each decision takes out, in its simulation, what is booked while the thing that it places could
 * run. So no event is needed for the passing of time, and the end of the simulation undoes it exactly.
 */
export class BookedRoom {
  readonly #byNode = new Map<string, Kept[]>();
  readonly #starts: readonly number[];
  readonly #taken: { readonly fleet: PlacementEngine; readonly hold: Hold }[] = [];
  #taking = 0;

  constructor(
    pool: Pool,
    private readonly fromMs: number,
    private readonly fleets: readonly PlacementEngine[] = [pool.engine, pool.room.firm],
  ) {
    const starts: number[] = [];
    for (const booking of pool.bookings.values()) {
      const { startsAt, spec } = booking;
      const [start, untilMs] = [startsAt.getTime(), spec.endsAt.getTime()];
      if (untilMs <= fromMs) continue;
      for (const unit of booking.units.filter(isHoused)) {
        const kept = { booking, fromMs: start, untilMs, hold: holdOfUnit(pool.engine, booking, unit) };
        const there = this.#byNode.get(unit.home.nodeId);
        if (there) there.push(kept);
        else this.#byNode.set(unit.home.nodeId, [kept]);
        starts.push(start);
      }
    }
    this.#starts = starts.sort((left, right) => left - right);
  }

  /**
   * Takes what is booked before `untilMs`, as far as it is free: what is not is held by what ends before the start,
   * and nothing else gets it meanwhile. Replaces what was taken before. In a simulation only.
   * @param spared nodes that nothing is placed on which could be in the way of what begins
   */
  keepUntil(untilMs: number, spared: ReadonlySet<string> = new Set()): void {
    const taking = countBefore(this.#starts, untilMs);
    if (taking === this.#taking) return;
    this.#taking = taking;
    for (const { fleet, hold } of this.#taken.splice(0)) fleet.release(hold);
    for (const nodeId of this.#byNode.keys()) {
      const peak = this.#peakOn(nodeId, spared.has(nodeId) ? this.fromMs + 1 : untilMs);
      if (!peak) continue;
      for (const fleet of this.fleets) {
        const hold = freePartOf(fleet, peak);
        if (!hold) continue;
        fleet.take(hold);
        this.#taken.push({ fleet, hold });
      }
    }
  }

  /** Where bookings have not started and will before `untilMs`. */
  nodesStartingBefore(untilMs: number): readonly string[] {
    if (countBefore(this.#starts, untilMs) === 0) return [];
    return [...this.#byNode.keys()].filter(nodeId => this.startingOn(nodeId, untilMs).length > 0);
  }

  /** Bookings on the node that have not started and will before `untilMs`, the first of them first. */
  startingOn(nodeId: string, untilMs: number): readonly Booking[] {
    const there = (this.#byNode.get(nodeId) ?? []).filter(
      ({ booking, fromMs }) => !booking.isStarted && fromMs < untilMs,
    );
    there.sort((left, right) => left.fromMs - right.fromMs);
    return [...new Set(there.map(({ booking }) => booking))];
  }

  /** What is booked on the node at that moment. */
  bookedAt(nodeId: string, atMs: number): Hold {
    return (this.#byNode.get(nodeId) ?? [])
      .filter(({ fromMs, untilMs }) => fromMs <= atMs && atMs < untilMs)
      .map(({ hold }) => hold)
      .reduce(both, nothingOf(nodeId));
  }

  /** The most that is booked on the node at any one moment before `untilMs`; nothing where nothing is. */
  #peakOn(nodeId: string, untilMs: number): Hold | undefined {
    const there = (this.#byNode.get(nodeId) ?? []).filter(({ fromMs }) => fromMs < untilMs);
    if (there.length === 0) return undefined;
    // What is booked at once only grows where something starts.
    const moments = new Set(there.map(({ fromMs }) => Math.max(fromMs, this.fromMs)));
    return [...moments].map(atMs => this.bookedAt(nodeId, atMs)).reduce(higher, nothingOf(nodeId));
  }
}

/** How many of the sorted numbers are less. */
function countBefore(sorted: readonly number[], limit: number): number {
  const first = sorted.findIndex(value => value >= limit);
  return first < 0 ? sorted.length : first;
}

export const nothingOf = (nodeId: string): Hold => ({
  nodeId,
  cpuMillis: 0,
  memoryMib: 0,
  diskMib: 0,
  bandwidthMbps: 0,
  units: [],
});

const combined =
  (of: (left: number, right: number) => number) =>
  (left: Hold, right: Hold): Hold => {
    const units = new Map(left.units.map(held => [held.unit, held]));
    for (const held of right.units) {
      const known = units.get(held.unit)?.shareThousandths ?? 0;
      units.set(held.unit, { ...held, shareThousandths: of(known, held.shareThousandths) });
    }
    return {
      nodeId: left.nodeId,
      cpuMillis: of(left.cpuMillis, right.cpuMillis),
      memoryMib: of(left.memoryMib, right.memoryMib),
      diskMib: of(left.diskMib, right.diskMib),
      bandwidthMbps: of(left.bandwidthMbps, right.bandwidthMbps),
      units: [...units.values()],
    };
  };
export const both = combined((left, right) => left + right);
const higher = combined(Math.max);

/** What of it is free now; nothing on a node that has shrunk below what is held of it. */
function freePartOf({ fleet }: PlacementEngine, hold: Hold): Hold | undefined {
  const { columns } = fleet;
  const slot = fleet.slotOf(hold.nodeId);
  if (slot === undefined) return undefined;
  const free: Hold = {
    nodeId: hold.nodeId,
    cpuMillis: Math.min(hold.cpuMillis, columns.freeCpuMillis[slot]!),
    memoryMib: Math.min(hold.memoryMib, columns.freeMemoryMib[slot]!),
    diskMib: Math.min(hold.diskMib, columns.freeDiskMib[slot]!),
    bandwidthMbps: Math.min(hold.bandwidthMbps, columns.freeBandwidthMbps[slot]!),
    units: hold.units.flatMap(held => {
      const shareThousandths = Math.min(held.shareThousandths, columns.freeShare(slot, held.unit));
      return shareThousandths > 0 ? [{ ...held, shareThousandths }] : [];
    }),
  };
  const isShrunk = [free.cpuMillis, free.memoryMib, free.diskMib, free.bandwidthMbps].some(left => left < 0);
  return isShrunk ? undefined : free;
}

/** Whether all of it is free now. */
export function isFree(engine: PlacementEngine, hold: Hold): boolean {
  const free = freePartOf(engine, hold);
  return (
    free !== undefined &&
    free.cpuMillis === hold.cpuMillis &&
    free.memoryMib === hold.memoryMib &&
    free.diskMib === hold.diskMib &&
    free.bandwidthMbps === hold.bandwidthMbps &&
    hold.units.every(({ unit, shareThousandths }) =>
      free.units.some(held => held.unit === unit && held.shareThousandths === shareThousandths),
    )
  );
}
