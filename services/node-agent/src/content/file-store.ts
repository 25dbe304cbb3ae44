import type { BlockStore } from '@astro/content/sources';
import type { ContentCache } from './content-cache.js';

/**
 * The cache as one file sees it: its blocks stay until the file is whole. A file of one block is kept beside it, for it
 * may be larger than the cache is.
 */
export class FileStore implements BlockStore {
  readonly #cache: ContentCache;
  readonly #root: string;
  readonly #releases: (() => Promise<void>)[] = [];
  readonly #inUse = new Set<string>();
  #single: Uint8Array | undefined;

  constructor(cache: ContentCache, root: string) {
    this.#cache = cache;
    this.#root = root;
  }

  /** What the file was put together from. */
  get blocks(): readonly string[] {
    return [...this.#inUse];
  }

  has(cid: string): boolean {
    const isThere = this.#cache.has(cid) || (cid === this.#root && this.#single !== undefined);
    if (isThere) this.#use(cid);
    return isThere;
  }

  async get(cid: string): Promise<Uint8Array | undefined> {
    this.#use(cid);
    return cid === this.#root && this.#single ? this.#single : this.#cache.get(cid);
  }

  async put(cid: string, bytes: Uint8Array): Promise<void> {
    this.#use(cid);
    if (cid === this.#root) this.#single = new Uint8Array(bytes);
    await this.#cache.put(cid, bytes);
  }

  /** The same without what is held in memory. */
  onlyCached(): this {
    this.#single = undefined;
    return this;
  }

  async release(): Promise<void> {
    for (const release of this.#releases.splice(0)) await release();
  }

  #use(cid: string): void {
    if (this.#inUse.has(cid)) return;
    this.#inUse.add(cid);
    this.#releases.push(this.#cache.use([cid]));
  }
}
