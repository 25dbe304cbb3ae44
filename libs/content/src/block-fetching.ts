import { BLOCK_BYTES_MAX, hasDigestOf, WrongBlock } from './block.js';
import { BlockMissing, downloadLimits, type BlockSource, type DownloadParts } from './sources.js';

/** How often it is looked whether a block is late. */
const LOOK_MS = 100;

/** Why a source that was late is not waited for any more. */
const overtaken = new Error('another source was faster');

type Flight = { readonly source: Asked; readonly startedMs: number; readonly abort: AbortController };
type Wanted = {
  readonly cid: string;
  readonly limitBytes: number;
  readonly missingAt: Set<Asked>;
  readonly flights: Set<Flight>;
};
type Asked = { readonly source: BlockSource; failures: number; inFlight: number; isOut: boolean };

/** Fetches blocks, many at a time, each from the fastest source that has room for one more. */
export class BlockFetching {
  readonly #parts: DownloadParts;
  readonly #asked: readonly Asked[];
  readonly #wanted = new Map<string, Wanted>();
  /** Memory for blocks, as many as were under way at once: what is new costs more than a copy, page by page. */
  readonly #free: Uint8Array[] = [];
  #fetchedBytes = 0;
  #lastError: unknown = new Error('there is no source');
  #settle: { resolve(): void; reject(error: unknown): void } | undefined;

  constructor(parts: DownloadParts) {
    this.#parts = parts;
    this.#asked = parts.sources.map(source => ({ source, failures: 0, inFlight: 0, isOut: false }));
  }

  get fetchedBytes(): number {
    return this.#fetchedBytes;
  }

  /**
   * @param blocks and how many bytes each has at most
   * @throws the last source's error when no source is left that may have what is missing; the signal's reason
   */
  async bring(blocks: ReadonlyMap<string, number>): Promise<void> {
    const { signal } = this.#parts;
    signal.throwIfAborted();
    if (blocks.size === 0) return;
    for (const [cid, limitBytes] of blocks)
      this.#wanted.set(cid, { cid, limitBytes, missingAt: new Set(), flights: new Set() });
    const stop = () => this.#settle?.reject(signal.reason);
    const look = setInterval(() => this.#fill(), LOOK_MS);
    signal.addEventListener('abort', stop, { once: true });
    try {
      await new Promise<void>((resolve, reject) => {
        this.#settle = { resolve, reject };
        this.#fill();
      });
    } finally {
      this.#settle = undefined;
      clearInterval(look);
      signal.removeEventListener('abort', stop);
      for (const { flights } of this.#wanted.values()) for (const { abort } of flights) abort.abort();
      this.#wanted.clear();
    }
  }

  /** Gives every source as many blocks as it may have, the fastest first. */
  #fill(): void {
    if (!this.#settle) return;
    if (this.#wanted.size === 0) {
      this.#settle.resolve();
      return;
    }
    const ranked = this.#ranked();
    const others = ranked.filter(({ source }) => !source.isLastResort);
    for (const asked of ranked) {
      while (asked.inFlight < downloadLimits.inFlightOfSource) {
        const before = asked.source.isLastResort ? others : [];
        const next = this.#nextFor(asked, before) ?? this.#lateFor(asked);
        if (!next) break;
        void this.#fly(next, asked);
      }
    }
    const isStuck = [...this.#wanted.values()].some(({ flights }) => flights.size === 0);
    if (isStuck && this.#asked.every(({ inFlight }) => inFlight === 0)) this.#settle.reject(this.#lastError);
  }

  #ranked(): readonly Asked[] {
    const named = this.#asked
      .filter(({ isOut }) => !isOut)
      .map(asked => ({ name: asked.source.name, asked }));
    return this.#parts.ranks.ranked(named).map(({ asked }) => asked);
  }

  /** A block that nobody fetches and that none of the sources which come before this one may have. */
  #nextFor(asked: Asked, before: readonly Asked[]): Wanted | undefined {
    for (const wanted of this.#wanted.values()) {
      const { flights, missingAt } = wanted;
      if (flights.size > 0 || missingAt.has(asked)) continue;
      if (before.every(other => missingAt.has(other))) return wanted;
    }
    return undefined;
  }

  /** A block that another source has had for far longer than this one would take. */
  #lateFor(asked: Asked): Wanted | undefined {
    const bytesPerMs = this.#parts.ranks.bytesPerMs(asked.source.name);
    for (const wanted of this.#wanted.values()) {
      const [flight, another] = wanted.flights;
      if (!flight || another || flight.source === asked || wanted.missingAt.has(asked)) continue;
      const expectedMs = bytesPerMs ? wanted.limitBytes / bytesPerMs : 0;
      const lateAfterMs = Math.min(
        Math.max(downloadLimits.slowAfterMs, downloadLimits.slowFactor * expectedMs),
        downloadLimits.slowAfterMsMax,
      );
      if (performance.now() - flight.startedMs > lateAfterMs) return wanted;
    }
    return undefined;
  }

  async #fly(wanted: Wanted, source: Asked): Promise<void> {
    const flight: Flight = { source, startedMs: performance.now(), abort: new AbortController() };
    wanted.flights.add(flight);
    source.inFlight += 1;
    try {
      await this.#fetch(wanted, flight);
    } catch (error) {
      const { signal } = flight.abort;
      // What was stopped for another reason than being late says nothing about the source.
      if (!signal.aborted || signal.reason === overtaken) this.#failed(wanted, source, error);
    } finally {
      wanted.flights.delete(flight);
      source.inFlight -= 1;
      this.#fill();
    }
  }

  async #fetch(wanted: Wanted, { source, startedMs, abort }: Flight): Promise<void> {
    const { cid, limitBytes } = wanted;
    const { ranks, store } = this.#parts;
    const { name } = source.source;
    const into = this.#free.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES_MAX);
    const signal = AbortSignal.any([this.#parts.signal, abort.signal]);
    const bytes = await source.source.fetch(cid, limitBytes, signal, into);
    ranks.measured(name, bytes.length, performance.now() - startedMs);
    if (!hasDigestOf(cid, bytes)) throw new WrongBlock(`${name} sent other bytes for ${cid}`);
    source.failures = 0;
    // Of two that brought it, one is kept.
    if (this.#wanted.get(cid) !== wanted || abort.signal.aborted) return;
    for (const other of wanted.flights)
      if (other.abort !== abort) other.abort.abort(other.startedMs < startedMs ? overtaken : undefined);
    await store.put(cid, bytes);
    this.#fetchedBytes += bytes.length;
    // What failed is left to the collector: somebody may still write into it.
    this.#free.push(into);
    this.#wanted.delete(cid);
  }

  #failed(wanted: Wanted, asked: Asked, error: unknown): void {
    const { ranks, distrusted } = this.#parts;
    const { name } = asked.source;
    this.#lastError = error;
    if (error instanceof BlockMissing) {
      wanted.missingAt.add(asked);
      return;
    }
    // Nobody comes after the last resort, which has its own ways to try again.
    const { isLastResort } = asked.source;
    if (error instanceof WrongBlock) {
      asked.isOut = true;
      if (!isLastResort) ranks.distrust(name);
      distrusted?.(name, wanted.cid);
      return;
    }
    ranks.failed(name);
    asked.failures += 1;
    if (isLastResort || asked.failures >= downloadLimits.failuresOfSource) asked.isOut = true;
  }
}
