const CHUNK_MAX = 512;

/**
 * Items in order, in chunks of at most 512, so that adding and removing among hundreds of thousands moves a
 * few of them only. The order must tell any two items apart, and an item's place in it must not change while
 * it is in the list.
 */
export class OrderedList<Item> {
  readonly #compare: (left: Item, right: Item) => number;
  #chunks: Item[][] = [];
  #size = 0;

  constructor(compare: (left: Item, right: Item) => number) {
    this.#compare = compare;
  }

  get size(): number {
    return this.#size;
  }

  get first(): Item | undefined {
    return this.#chunks[0]?.[0];
  }

  add(item: Item): void {
    this.#size += 1;
    const at = this.#chunkOf(item);
    const chunk = this.#chunks[at];
    if (!chunk) {
      // Beyond the last chunk's last item, where most items come.
      const last = this.#chunks.at(-1);
      if (last && last.length < CHUNK_MAX) last.push(item);
      else this.#chunks.push([item]);
      return;
    }
    chunk.splice(this.#indexIn(chunk, item), 0, item);
    if (chunk.length > CHUNK_MAX) this.#chunks.splice(at + 1, 0, chunk.splice(CHUNK_MAX / 2));
  }

  /** @throws Error when it is not in the list */
  remove(item: Item): void {
    const at = this.#chunkOf(item);
    const chunk = this.#chunks[at];
    const index = chunk ? this.#indexIn(chunk, item) : -1;
    if (chunk?.[index] !== item) throw new Error('the list does not hold what is to be removed');
    this.#size -= 1;
    chunk.splice(index, 1);
    if (chunk.length === 0) this.#chunks.splice(at, 1);
  }

  *[Symbol.iterator](): Generator<Item, void> {
    for (const chunk of this.#chunks) yield* chunk;
  }

  /** The first item that is not before the boundary; `isBefore` must hold for a head of the list only. */
  firstNotBefore(isBefore: (item: Item) => boolean): Item | undefined {
    const chunk = this.#chunks[firstIndex(this.#chunks.length, at => !isBefore(this.#chunks[at]!.at(-1)!))];
    return chunk?.[firstIndex(chunk.length, index => !isBefore(chunk[index]!))];
  }

  /** Of the first chunk that ends with the item or beyond it. */
  #chunkOf(item: Item): number {
    return firstIndex(this.#chunks.length, at => this.#compare(this.#chunks[at]!.at(-1)!, item) >= 0);
  }

  #indexIn(chunk: readonly Item[], item: Item): number {
    return firstIndex(chunk.length, index => this.#compare(chunk[index]!, item) >= 0);
  }
}

/** The least index below `length` from which on the condition holds; `length` when there is none. */
function firstIndex(length: number, holdsAt: (index: number) => boolean): number {
  let [from, to] = [0, length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (holdsAt(middle)) to = middle;
    else from = middle + 1;
  }
  return from;
}
