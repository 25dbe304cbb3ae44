import { NameTable } from './names.js';

/** Slots of nodes as bits; word `i` holds the slots from 32·i on. Grows with the slots that are set. */
export class Bitmap {
  words = new Uint32Array(32);

  set(slot: number): void {
    const word = slot >>> 5;
    if (word >= this.words.length) {
      const wider = new Uint32Array(Math.max(word + 1, this.words.length * 2));
      wider.set(this.words);
      this.words = wider;
    }
    this.words[word]! |= 1 << (slot & 31);
  }

  clear(slot: number): void {
    const word = slot >>> 5;
    if (word < this.words.length) this.words[word]! &= ~(1 << (slot & 31));
  }

  has(slot: number): boolean {
    return (this.word(slot >>> 5) & (1 << (slot & 31))) !== 0;
  }

  word(index: number): number {
    return index < this.words.length ? this.words[index]! : 0;
  }
}

/** So that a bitmap for each value stays cheap at a million nodes: 125 KB each. */
const valuesMax = 4096;

/** Which nodes have which value of one attribute. A node may have several values (its runtimes). */
export class AttributeIndex {
  private readonly values = new NameTable();
  private readonly bitmaps: Bitmap[] = [];

  /** Rises with every new value: what was compiled without it is compiled anew. */
  get version(): number {
    return this.bitmaps.length;
  }

  nameOf(id: number): string {
    return this.values.nameOf(id);
  }

  /** Marks the slot and returns the number of the value. */
  add(name: string, slot: number): number {
    const id = this.values.intern(name);
    if (id === this.bitmaps.length) {
      if (id === valuesMax) throw new RangeError(`an attribute has over ${valuesMax} values: ${name}`);
      this.bitmaps.push(new Bitmap());
    }
    this.bitmaps[id]!.set(slot);
    return id;
  }

  remove(name: string, slot: number): void {
    this.bitmapOf(name)?.clear(slot);
  }

  /** Absent when no node ever had the value. */
  bitmapOf(name: string): Bitmap | undefined {
    const id = this.values.idOf(name);
    return id === undefined ? undefined : this.bitmaps[id];
  }
}
