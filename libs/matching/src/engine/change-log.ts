/**
 * Which nodes changed, in order. An index that was brought up to date at one point asks for what came later;
 * one that lags by more than the log keeps is built anew.
 */
export class ChangeLog {
  private static readonly kept = 2 ** 17;
  private readonly slots = new Int32Array(ChangeLog.kept);
  /** Number of the latest change of each slot. */
  private latest = new Float64Array(1024);
  /** Number of changes so far. */
  count = 0;

  record(slot: number): void {
    if (slot >= this.latest.length) {
      const wider = new Float64Array(Math.max(slot + 1, this.latest.length * 2));
      wider.set(this.latest);
      this.latest = wider;
    }
    this.count += 1;
    this.slots[this.count % ChangeLog.kept] = slot;
    this.latest[slot] = this.count;
  }

  reaches(change: number): boolean {
    return this.count - change < ChangeLog.kept;
  }

  /** The slot that change number `change` was about; -1 when the slot has changed again since. */
  slotAt(change: number): number {
    const slot = this.slots[change % ChangeLog.kept]!;
    return this.latest[slot] === change ? slot : -1;
  }
}
