/** How much of the newest block's speed is taken into what is known of a source. */
const SMOOTHING = 0.3;
/** Of what is smaller, the time tells how far away a source is, not how fast: it counts as so much. */
const MEASURED_BYTES_MIN = 64 * 1024;
const SOURCES_REMEMBERED = 1_000;
/** Who sent a wrong block is not asked again for this long. */
const DISTRUST_MS = 10 * 60_000;

type Rank = { bytesPerMs: number | undefined; distrustedUntilMs: number };

/** What was measured of sources, by their names, across downloads; the least recently used is forgotten. */
export class SourceRanks {
  readonly #ranks = new Map<string, Rank>();

  constructor(private readonly nowMs: () => number = () => performance.now()) {}

  measured(name: string, sizeBytes: number, elapsedMs: number): void {
    const rank = this.#take(name);
    const bytesPerMs = Math.max(sizeBytes, MEASURED_BYTES_MIN) / Math.max(elapsedMs, 0.01);
    rank.bytesPerMs =
      rank.bytesPerMs === undefined
        ? bytesPerMs
        : rank.bytesPerMs + SMOOTHING * (bytesPerMs - rank.bytesPerMs);
  }

  /** It gave nothing for its time: it ranks behind what has given anything. */
  failed(name: string): void {
    const rank = this.#take(name);
    rank.bytesPerMs = (rank.bytesPerMs ?? 0) / 2;
  }

  distrust(name: string): void {
    this.#take(name).distrustedUntilMs = this.nowMs() + DISTRUST_MS;
  }

  isTrusted(name: string): boolean {
    return (this.#ranks.get(name)?.distrustedUntilMs ?? 0) <= this.nowMs();
  }

  /** Undefined for a source that nothing was measured of. */
  bytesPerMs(name: string): number | undefined {
    return this.#ranks.get(name)?.bytesPerMs;
  }

  /** The median of those that gave anything; undefined where none did. @param isCounted by its name */
  usualBytesPerMs(isCounted: (name: string) => boolean): number | undefined {
    const speeds = [...this.#ranks]
      .flatMap(([name, { bytesPerMs }]) => (isCounted(name) ? (bytesPerMs ?? []) : []))
      .filter(speed => speed > 0)
      .sort(order);
    return speeds[Math.floor(speeds.length / 2)];
  }

  /** The fastest first; before them those that nobody has tried, or they would never be. */
  ranked<S extends { readonly name: string }>(sources: readonly S[]): readonly S[] {
    const speed = ({ name }: S) => this.bytesPerMs(name) ?? Infinity;
    return sources
      .filter(({ name }) => this.isTrusted(name))
      .sort((left, right) => order(speed(right), speed(left)));
  }

  #take(name: string): Rank {
    const rank = this.#ranks.get(name) ?? { bytesPerMs: undefined, distrustedUntilMs: 0 };
    this.#ranks.delete(name);
    this.#ranks.set(name, rank);
    for (const oldest of this.#ranks.keys()) {
      if (this.#ranks.size <= SOURCES_REMEMBERED) break;
      this.#ranks.delete(oldest);
    }
    return rank;
  }
}

/** Infinity less infinity is no number. */
const order = (left: number, right: number): number => (left === right ? 0 : left - right);
