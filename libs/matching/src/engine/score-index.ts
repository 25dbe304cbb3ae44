import type { Demand } from './demand.js';
import { doesNotFit } from './scorer.js';

/** Slots of one leaf block: one word of a bitmap. */
const blockBits = 5;
const superBits = 10;

/**
 * Scores of one demand on every node, at one of the two prices of each, with the maximum of each 32 and each 1,024
 * nodes above them, so that the best is found by looking at few. 8.3 bytes a node.
 */
export class ScoreIndex {
  leaves = new Float64Array(0);
  blocks = new Float64Array(0);
  supers = new Float64Array(0);
  /** Number of the last change of the fleet that it has taken in. */
  takenIn = 0;

  constructor(
    readonly demand: Demand,
    readonly isInterruptible: boolean,
  ) {}

  get bytes(): number {
    return (this.leaves.length + this.blocks.length + this.supers.length) * 8;
  }

  /** Makes room for slots below `height`; new ones fit nothing. */
  widen(height: number): void {
    if (height <= this.leaves.length) return;
    const leaves = Math.max(1 << superBits, Math.ceil((height * 1.25) / (1 << superBits)) << superBits);
    const wider = (column: Float64Array, length: number) => {
      const copy = new Float64Array(length).fill(doesNotFit, column.length);
      copy.set(column);
      return copy;
    };
    this.leaves = wider(this.leaves, leaves);
    this.blocks = wider(this.blocks, leaves >> blockBits);
    this.supers = wider(this.supers, leaves >> superBits);
  }

  /** Sets a score and the maxima above it. */
  set(slot: number, score: number): void {
    const { leaves, blocks, supers } = this;
    const old = leaves[slot]!;
    if (score === old) return;
    leaves[slot] = score;
    const block = slot >> blockBits;
    const blockMax = raised(leaves, slot, blocks[block]!, old, score);
    if (blockMax === blocks[block]) return;
    const oldBlockMax = blocks[block]!;
    blocks[block] = blockMax;
    const above = slot >> superBits;
    supers[above] = raised(blocks, block, supers[above]!, oldBlockMax, blockMax);
  }

  /** Sets a score without the maxima; `raiseAll` must follow. */
  load(slot: number, score: number): void {
    this.leaves[slot] = score;
  }

  raiseAll(): void {
    for (let block = 0; block < this.blocks.length; block++) {
      this.blocks[block] = maxOf(this.leaves, block << blockBits);
    }
    for (let above = 0; above < this.supers.length; above++) {
      this.supers[above] = maxOf(this.blocks, above << blockBits);
    }
  }
}

/** The maximum of 32 values when one of them changed from `old` to `changed`. */
function raised(values: Float64Array, at: number, max: number, old: number, changed: number): number {
  if (changed >= max) return changed;
  return old < max ? max : maxOf(values, (at >> blockBits) << blockBits);
}

function maxOf(values: Float64Array, start: number): number {
  let max = doesNotFit;
  for (let index = start; index < start + (1 << blockBits); index++) {
    const value = values[index]!;
    if (value > max) max = value;
  }
  return max;
}
