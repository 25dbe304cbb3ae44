import type { NodeState } from './policy.js';

/** States of nodes with more units are not cached; they are scored each time. */
export const unitsCachedMax = 16;
const bitsAtFirst = 5;
const keyWords = 3 + unitsCachedMax / 2;

/**
 * What was computed for a state and a tag (a demand, or 0), in a table of fixed size: a new entry overwrites
 * the one in its place. The whole state is compared, so an entry is never taken for another's.
 */
export class StateCache {
  private bits: number;
  private keys!: Int32Array;
  values!: Float64Array;
  choices!: Int32Array;
  /** Entries that were written, for as long as the table may still grow. */
  private written = 0;

  /** Begins small and grows with what is written to 2^`bitsMax` entries of 56 bytes. */
  constructor(private readonly bitsMax: number) {
    this.bits = Math.min(bitsMax, bitsAtFirst);
    this.allocate();
  }

  /**
   * The entry where the state belongs; -1 for a state that cannot be cached. The number holds until the next call: a
   * table that is half full becomes twice as large here, and forgets what it held.
   */
  entryOf(tag: number, hash: number, { shape }: NodeState): number {
    if (shape.unitCount > unitsCachedMax) return -1;
    if (this.bits < this.bitsMax && this.written >= 2 ** (this.bits - 1)) {
      this.bits += 1;
      this.allocate();
    }
    return Math.imul(hash ^ Math.imul(tag + 1, 0x85ebca6b), 0x9e3779b1) >>> (32 - this.bits);
  }

  holds(entry: number, tag: number, { shape, freeCpuMillis, freeShares }: NodeState): boolean {
    const { keys } = this;
    const at = entry * keyWords;
    if (keys[at] !== tag || keys[at + 1] !== shape.id || keys[at + 2] !== freeCpuMillis) return false;
    const units = shape.unitCount;
    for (let unit = 0; unit < units; unit += 2) {
      if (keys[at + 3 + (unit >> 1)] !== packedUnit(freeShares, unit, units)) return false;
    }
    return true;
  }

  write(entry: number, tag: number, state: NodeState, value: number, choice: number): void {
    const { keys } = this;
    const { shape, freeCpuMillis, freeShares } = state;
    const at = entry * keyWords;
    if (keys[at] === -1) this.written += 1;
    keys[at] = tag;
    keys[at + 1] = shape.id;
    keys[at + 2] = freeCpuMillis;
    const units = shape.unitCount;
    for (let unit = 0; unit < units; unit += 2) {
      keys[at + 3 + (unit >> 1)] = packedUnit(freeShares, unit, units);
    }
    this.values[entry] = value;
    this.choices[entry] = choice;
  }

  clear(): void {
    this.keys.fill(-1);
  }

  private allocate(): void {
    const entries = 2 ** this.bits;
    this.keys = new Int32Array(entries * keyWords).fill(-1);
    this.values = new Float64Array(entries);
    this.choices = new Int32Array(entries);
    this.written = 0;
  }
}

/** The free shares of a unit and of the one after it, where there is one, in 32 bits. */
export const packedUnit = (freeShares: Uint16Array, unit: number, units: number): number =>
  freeShares[unit]! | ((unit + 1 < units ? freeShares[unit + 1]! : 0) << 16);

export function hashOf({ shape, freeCpuMillis, freeShares }: NodeState): number {
  let hash = Math.imul(shape.id + 1, 0x9e3779b1) ^ freeCpuMillis;
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  for (let unit = 0; unit < shape.unitCount; unit++) {
    hash = Math.imul(hash ^ freeShares[unit]!, 0x01000193);
    hash ^= hash >>> 13;
  }
  return Math.imul(hash, 0xc2b2ae35) | 0;
}
