import type { NodeState } from './policy.js';

/** States of nodes with more units are not cached; they are scored each time. */
const unitsCachedMax = 16;
const keyWords = 3 + unitsCachedMax / 2;

/**
 * What was computed for a state and a tag (a demand, or 0), in a table of fixed size: a new entry overwrites
 * the one in its place. The whole state is compared, so an entry is never taken for another's.
 */
export class StateCache {
  private readonly keys: Int32Array;
  readonly values: Float64Array;
  readonly choices: Int32Array;
  private readonly shift: number;

  /** Holds 2^`bits` entries of 56 bytes. */
  constructor(bits: number) {
    const entries = 2 ** bits;
    this.keys = new Int32Array(entries * keyWords).fill(-1);
    this.values = new Float64Array(entries);
    this.choices = new Int32Array(entries);
    this.shift = 32 - bits;
  }

  /** The entry where the state belongs; -1 for a state that cannot be cached. */
  entryOf(tag: number, hash: number, { shape }: NodeState): number {
    if (shape.unitCount > unitsCachedMax) return -1;
    return Math.imul(hash ^ Math.imul(tag + 1, 0x85ebca6b), 0x9e3779b1) >>> this.shift;
  }

  holds(entry: number, tag: number, { shape, freeCpuMillis, freeShares }: NodeState): boolean {
    const { keys } = this;
    const at = entry * keyWords;
    if (keys[at] !== tag || keys[at + 1] !== shape.id || keys[at + 2] !== freeCpuMillis) return false;
    const units = shape.unitCount;
    for (let unit = 0; unit < units; unit += 2) {
      const high = unit + 1 < units ? freeShares[unit + 1]! : 0;
      if (keys[at + 3 + (unit >> 1)] !== (freeShares[unit]! | (high << 16))) return false;
    }
    return true;
  }

  write(entry: number, tag: number, state: NodeState, value: number, choice: number): void {
    const { keys } = this;
    const { shape, freeCpuMillis, freeShares } = state;
    const at = entry * keyWords;
    keys[at] = tag;
    keys[at + 1] = shape.id;
    keys[at + 2] = freeCpuMillis;
    const units = shape.unitCount;
    for (let unit = 0; unit < units; unit += 2) {
      const high = unit + 1 < units ? freeShares[unit + 1]! : 0;
      keys[at + 3 + (unit >> 1)] = freeShares[unit]! | (high << 16);
    }
    this.values[entry] = value;
    this.choices[entry] = choice;
  }

  clear(): void {
    this.keys.fill(-1);
  }
}

export function hashOf({ shape, freeCpuMillis, freeShares }: NodeState): number {
  let hash = Math.imul(shape.id + 1, 0x9e3779b1) ^ freeCpuMillis;
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  for (let unit = 0; unit < shape.unitCount; unit++) {
    hash = Math.imul(hash ^ freeShares[unit]!, 0x01000193);
    hash ^= hash >>> 13;
  }
  return Math.imul(hash, 0xc2b2ae35) | 0;
}
