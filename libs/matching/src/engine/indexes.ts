import { ScratchState } from './choice.js';
import type { FilterPlan } from './filter-plan.js';
import type { Fleet } from './fleet.js';
import { ScoreIndex } from './score-index.js';
import { doesNotFit, type Scorer } from './scorer.js';

/** All that a score depends on beside the node: the demand, and which of the node's prices counts. */
type Scored = Pick<FilterPlan, 'demand' | 'isInterruptible'>;

/**
 * The score indexes of the demands that were asked for lately, of interruptible work apart. An index is brought up to
 * date when its demand is asked for: only nodes that changed since are scored, each once however often it changed. When
 * all indexes together would take over `bytesMax`, the one that was used longest ago goes, and is built anew if its
 * demand comes back.
 */
export class ScoreIndexes {
  private readonly kept = new Map<number, { readonly index: ScoreIndex; usedAt: number }>();
  private readonly state = new ScratchState();
  private uses = 0;
  /** How many nodes were scored, to show what is saved. */
  nodesScored = 0;

  constructor(
    private readonly fleet: Fleet,
    private readonly scorer: Scorer,
    private readonly bytesMax: number,
  ) {}

  /** Its index, up to date. */
  of(scored: Scored): ScoreIndex {
    const { changes } = this.fleet;
    this.uses += 1;
    const known = this.kept.get(keyOf(scored));
    if (known) known.usedAt = this.uses;
    const index = known?.index ?? this.create(scored);
    if (index.takenIn === changes.count) return index;
    index.widen(this.fleet.columns.height);
    if (this.isCheaperAnew(index)) this.build(index);
    else this.catchUp(index);
    index.takenIn = changes.count;
    return index;
  }

  clear(): void {
    this.kept.clear();
  }

  /** Score of the node for the demand, without what the request itself adds. */
  scoreAt(slot: number, { demand, isInterruptible }: Scored): number {
    const { columns } = this.fleet;
    if (!columns.isUsed(slot) || columns.freeCpuMillis[slot]! < demand.cpuMillis) return doesNotFit;
    columns.read(slot, this.state);
    const score = this.scorer.score(demand, this.state, columns.stateHash[slot]!);
    return score + columns.staticTermsFor(isInterruptible)[slot]!;
  }

  /** Building scores every node but leaves the maxima to the end; a log that goes too far back is of no use. */
  private isCheaperAnew(index: ScoreIndex): boolean {
    const { changes, columns } = this.fleet;
    return !changes.reaches(index.takenIn) || changes.count - index.takenIn > columns.height * 4;
  }

  private build(index: ScoreIndex): void {
    const { height } = this.fleet.columns;
    for (let slot = 0; slot < height; slot++) index.load(slot, this.scoreAt(slot, index));
    index.raiseAll();
    this.nodesScored += height;
  }

  private catchUp(index: ScoreIndex): void {
    const { changes } = this.fleet;
    const { cpuMillis, shareThousandths } = index.demand;
    for (let change = index.takenIn + 1; change <= changes.count; change++) {
      const slot = changes.slotOf(change);
      if (slot < 0) continue;
      if (!changes.mayFit(change, cpuMillis, shareThousandths)) {
        index.set(slot, doesNotFit);
      } else {
        index.set(slot, this.scoreAfter(change, slot, index));
        this.nodesScored += 1;
      }
    }
  }

  /** As `scoreAt`, read from the log, which is at hand, where the node is not. */
  private scoreAfter(change: number, slot: number, scored: Scored): number {
    const { changes, shapes } = this.fleet;
    if (!changes.read(change, shapes, this.state)) return this.scoreAt(slot, scored);
    const score = this.scorer.score(scored.demand, this.state, changes.hashOf(change));
    return score + changes.staticTermOf(change, scored.isInterruptible);
  }

  private create(scored: Scored): ScoreIndex {
    const index = new ScoreIndex(scored.demand, scored.isInterruptible);
    index.takenIn = Number.NEGATIVE_INFINITY;
    index.widen(this.fleet.columns.height);
    while (this.kept.size > 0 && this.bytes + index.bytes > this.bytesMax) this.dropOldest();
    this.kept.set(keyOf(scored), { index, usedAt: this.uses });
    return index;
  }

  private get bytes(): number {
    let bytes = 0;
    for (const { index } of this.kept.values()) bytes += index.bytes;
    return bytes;
  }

  private dropOldest(): void {
    let oldest = -1;
    let oldestUse = Number.POSITIVE_INFINITY;
    for (const [id, { usedAt }] of this.kept) {
      if (usedAt < oldestUse) [oldest, oldestUse] = [id, usedAt];
    }
    this.kept.delete(oldest);
  }
}

const keyOf = ({ demand, isInterruptible }: Scored): number => 2 * demand.id + Number(isInterruptible);
