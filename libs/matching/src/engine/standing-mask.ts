import type { Fleet } from './fleet.js';

/** Masks that are kept, and the bytes that they may take: an eighth of a byte for each node and mask. */
const masksMax = 4_096;
const bytesMax = 64 * 2 ** 20;

/** What a mask is of: how to tell whether a node passes, whatever is free of it. */
type Standing = {
  /** Of the nodes 32·index to 32·index + 31, those whose attributes are as required. */
  attributesAt(index: number): number;
  meetsTerms(slot: number): boolean;
};

/**
 * The nodes that pass those filters of one class of requests that load does not change: one bit a node, and one for
 * each 32 nodes among which any passes. A search then opens no block for nodes that could never be chosen.
 */
export class StandingMask {
  private readonly words: Uint32Array;
  private readonly occupied: Uint32Array;
  private takenIn: number;

  constructor(
    private readonly fleet: Fleet,
    private readonly of: Standing,
  ) {
    // Room to grow as an index has, so that a few more nodes need no other mask.
    const wordCount = Math.ceil((fleet.columns.height * 1.25) / 1_024) * 32;
    this.words = new Uint32Array(wordCount);
    this.occupied = new Uint32Array(wordCount >>> 5);
    for (let index = 0; index << 5 < fleet.columns.height; index++) this.fill(index);
    this.takenIn = fleet.descriptions.count;
  }

  get bytes(): number {
    return this.words.byteLength + this.occupied.byteLength;
  }

  /** Takes in the nodes that came, went or were described anew; false when it has to be made anew itself. */
  catchUp(): boolean {
    const { descriptions, columns } = this.fleet;
    if (this.takenIn === descriptions.count) return true;
    if (!descriptions.reaches(this.takenIn) || columns.height > this.words.length * 32) return false;
    while (this.takenIn < descriptions.count) {
      this.takenIn += 1;
      this.fill(descriptions.slotOf(this.takenIn) >>> 5);
    }
    return true;
  }

  wordAt(index: number): number {
    return this.words[index]!;
  }

  /** Of the words 32·index to 32·index + 31, those in which any node passes. */
  occupiedAt(index: number): number {
    return this.occupied[index]!;
  }

  private fill(index: number): void {
    let word = this.of.attributesAt(index);
    for (let rest = word; rest !== 0; rest &= rest - 1) {
      const bit = rest & -rest;
      const slot = (index << 5) | (31 - Math.clz32(bit));
      if (!this.fleet.columns.isUsed(slot) || !this.of.meetsTerms(slot)) word &= ~bit;
    }
    this.words[index] = word;
    if (word === 0) this.occupied[index >>> 5]! &= ~(1 << (index & 31));
    else this.occupied[index >>> 5]! |= 1 << (index & 31);
  }
}

/** The masks of one engine; the oldest goes when there are too many, and is made anew if it is worth it again. */
export class StandingMasks {
  private readonly byClass = new Map<Standing, StandingMask>();
  private bytes = 0;

  constructor(private readonly fleet: Fleet) {}

  /** Absent when there is none, or what there was lags too far behind. */
  of(standing: Standing): StandingMask | undefined {
    const mask = this.byClass.get(standing);
    if (!mask || mask.catchUp()) return mask;
    this.drop(standing, mask);
    return undefined;
  }

  make(standing: Standing): StandingMask {
    const mask = new StandingMask(this.fleet, standing);
    this.byClass.set(standing, mask);
    this.bytes += mask.bytes;
    for (const [other, oldest] of this.byClass) {
      if (this.byClass.size <= masksMax && this.bytes <= bytesMax) break;
      this.drop(other, oldest);
    }
    return mask;
  }

  clear(): void {
    this.byClass.clear();
    this.bytes = 0;
  }

  private drop(standing: Standing, mask: StandingMask): void {
    this.byClass.delete(standing);
    this.bytes -= mask.bytes;
  }
}
