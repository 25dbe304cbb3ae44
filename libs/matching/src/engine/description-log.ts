/**
 * Slots of nodes that came, went, or were described anew by their operators, in order. Who lags by more than the log
 * keeps begins anew.
 */
export class DescriptionLog {
  private static readonly kept = 4_096;
  private readonly slots = new Int32Array(DescriptionLog.kept);
  /** Number of descriptions so far. */
  count = 0;

  record(slot: number): void {
    this.count += 1;
    this.slots[this.count % DescriptionLog.kept] = slot;
  }

  reaches(description: number): boolean {
    return this.count - description < DescriptionLog.kept;
  }

  slotOf(description: number): number {
    return this.slots[description % DescriptionLog.kept]!;
  }
}
