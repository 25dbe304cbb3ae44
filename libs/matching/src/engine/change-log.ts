import type { ScratchState } from './choice.js';
import type { NodeColumns } from './columns.js';
import type { NodeState } from './policy.js';
import type { ShapeTable } from './shape.js';
import { packedUnit, unitsCachedMax } from './state-cache.js';

/** Of an entry: slot, free CPU, the most that any unit has free, shape, hash of the state, free shares by twos. */
const headLength = 5;
const entryLength = headLength + unitsCachedMax / 2;
/** An empty state of a node that left: no CPU is as little as this. */
const gone = -1;

/**
 * Which nodes changed, in order, and what state each was left in. An index that was brought up to date at one point
 * asks for what came later; one that lags by more than the log keeps is built anew. An entry says itself all that a
 * score depends on, since the node is likely to be far off in memory. Entries that a later one of the same node has
 * overtaken are marked, so that they are passed over.
 */
export class ChangeLog {
  private static readonly keptMax = 2 ** 17;
  /** Entries that there is room for: doubled as they come, up to the limit, where the oldest gives way. */
  private kept = 2 ** 5;
  private entries = new Int32Array(this.kept * entryLength);
  /** By twos: for work on demand, and for interruptible work. */
  private terms = new Float64Array(2 * this.kept);
  /** Number of the latest change of each slot. */
  private latest = new Float64Array(32);
  /** Number of changes so far. */
  count = 0;

  /** Takes note of the state that the node is in now, with its terms in the columns. */
  record(
    slot: number,
    state: NodeState,
    hash: number,
    { staticTerm, interruptibleStaticTerm }: Pick<NodeColumns, 'staticTerm' | 'interruptibleStaticTerm'>,
  ): void {
    const at = this.begin(slot, state.freeCpuMillis);
    const { entries } = this;
    const { shape, freeShares } = state;
    let freeShareMax = 0;
    for (let unit = 0; unit < shape.unitCount; unit++) {
      if (freeShares[unit]! > freeShareMax) freeShareMax = freeShares[unit]!;
    }
    entries[at + 2] = freeShareMax;
    entries[at + 3] = shape.id;
    entries[at + 4] = hash;
    const units = Math.min(unitsCachedMax, shape.unitCount);
    for (let unit = 0; unit < units; unit += 2) {
      entries[at + headLength + (unit >> 1)] = packedUnit(freeShares, unit, units);
    }
    const term = 2 * (this.count % this.kept);
    this.terms[term] = staticTerm[slot]!;
    this.terms[term + 1] = interruptibleStaticTerm[slot]!;
  }

  /** The node left: nothing fits on it. */
  recordGone(slot: number): void {
    this.begin(slot, gone);
  }

  reaches(change: number): boolean {
    return this.count - change < this.kept;
  }

  /** Below 0 for a change that another of the same node has overtaken. */
  slotOf(change: number): number {
    return this.entries[(change % this.kept) * entryLength]!;
  }

  /** Whether the node had the CPU, and some unit the share, right after the change. */
  mayFit(change: number, cpuMillis: number, share: number): boolean {
    const at = (change % this.kept) * entryLength;
    return this.entries[at + 1]! >= cpuMillis && this.entries[at + 2]! >= share;
  }

  hashOf(change: number): number {
    return this.entries[(change % this.kept) * entryLength + 4]!;
  }

  staticTermOf(change: number, isInterruptible: boolean): number {
    return this.terms[2 * (change % this.kept) + Number(isInterruptible)]!;
  }

  /** Copies the state after the change; false where the node has more units than an entry holds. */
  read(change: number, shapes: ShapeTable, into: ScratchState): boolean {
    const { entries } = this;
    const at = (change % this.kept) * entryLength;
    const shape = shapes.at(entries[at + 3]!);
    if (shape.unitCount > unitsCachedMax) return false;
    into.shape = shape;
    into.freeCpuMillis = entries[at + 1]!;
    for (let unit = 0; unit < shape.unitCount; unit += 2) {
      const pair = entries[at + headLength + (unit >> 1)]!;
      into.freeShares[unit] = pair & 0xffff;
      into.freeShares[unit + 1] = pair >>> 16;
    }
    return true;
  }

  /** Where the entry of the next change begins, with its slot and free CPU written. */
  private begin(slot: number, freeCpuMillis: number): number {
    if (slot >= this.latest.length) this.reserveSlots(slot);
    if (this.count + 1 === this.kept && this.kept < ChangeLog.keptMax) this.grow();
    const overtaken = this.latest[slot]!;
    // Changes count from 1, and what the log keeps no more is nobody's to mark.
    if (overtaken > 0 && this.count - overtaken < this.kept - 1) {
      this.entries[(overtaken % this.kept) * entryLength] = -1;
    }
    this.count += 1;
    this.latest[slot] = this.count;
    const at = (this.count % this.kept) * entryLength;
    this.entries[at] = slot;
    this.entries[at + 1] = freeCpuMillis;
    return at;
  }

  /** Before the first entry would give way, so that all stay where their numbers say. */
  private grow(): void {
    this.kept *= 2;
    const entries = new Int32Array(this.kept * entryLength);
    entries.set(this.entries);
    this.entries = entries;
    const terms = new Float64Array(2 * this.kept);
    terms.set(this.terms);
    this.terms = terms;
  }

  private reserveSlots(slot: number): void {
    const wider = new Float64Array(Math.max(slot + 1, this.latest.length * 2));
    wider.set(this.latest);
    this.latest = wider;
  }
}
