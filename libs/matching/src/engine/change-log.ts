/** Numbers of an entry: the slot, its free CPU and the most that any of its units has free after the change. */
const entryLength = 3;

/**
 * Which nodes changed, in order. An index that was brought up to date at one point asks for what came later;
 * one that lags by more than the log keeps is built anew. Entries say themselves what is too little free for
 * a demand, so that most need no look at the node, which is likely to be far off in memory.
 */
export class ChangeLog {
  private static readonly kept = 2 ** 17;
  private readonly entries = new Int32Array(ChangeLog.kept * entryLength);
  /** Number of the latest change of each slot. */
  private latest = new Float64Array(1024);
  /** Number of changes so far. */
  count = 0;

  record(slot: number, freeCpuMillis: number, freeShareMax: number): void {
    if (slot >= this.latest.length) {
      const wider = new Float64Array(Math.max(slot + 1, this.latest.length * 2));
      wider.set(this.latest);
      this.latest = wider;
    }
    this.count += 1;
    const at = (this.count % ChangeLog.kept) * entryLength;
    this.entries[at] = slot;
    this.entries[at + 1] = freeCpuMillis;
    this.entries[at + 2] = freeShareMax;
    this.latest[slot] = this.count;
  }

  reaches(change: number): boolean {
    return this.count - change < ChangeLog.kept;
  }

  slotOf(change: number): number {
    return this.entries[(change % ChangeLog.kept) * entryLength]!;
  }

  /** Whether the node had the CPU, and some unit the share, right after the change. */
  mayFit(change: number, cpuMillis: number, share: number): boolean {
    const at = (change % ChangeLog.kept) * entryLength;
    return this.entries[at + 1]! >= cpuMillis && this.entries[at + 2]! >= share;
  }

  /** Whether the slot has not changed again since. */
  isLatest(change: number): boolean {
    return this.latest[this.slotOf(change)] === change;
  }
}
