import { binOf, DURATION_BINS, DurationForecast } from './duration-forecast.js';

export type DurationRules = {
  /** Believed of everything before anything was seen. */
  readonly priorMs: number;
  /** How many of a group's latest tasks count for most of what is believed of it. */
  readonly memoryTasks: number;
  /** As how many tasks of its own a finer group takes what the coarser one says. */
  readonly priorTasks: number;
  /** The least recently used group is forgotten beyond this. Each is about 1 kB. */
  readonly groupsMax: number;
};

/** `memoryTasks` and `priorTasks` from the Philly trace; the memory at most 20 MB. */
export const defaultDurationRules: DurationRules = {
  priorMs: 3_600_000,
  memoryTasks: 30,
  priorTasks: 3,
  groupsMax: 20_000,
};

/** Decayed counts: each new task weighs 1, and all older ones a little less than before. */
type Group = { weight: number; sumMs: number; readonly counts: Float64Array };

/** All that is known of one group, as plain data. */
export type DurationGroupRecord = {
  readonly key: string;
  readonly weight: number;
  readonly sumMs: number;
  /** The bins that were ever counted and their counts, one after the other. */
  readonly counts: readonly number[];
};

/**
 * Learns how long tasks take from those that have ended, by groups from coarse to fine (say: the size, the
 * tenant, the tenant's tasks of that size, its runs of that program). A fine group with few tasks of its own
 * leans on the coarser one before it, so nothing is ever unknown and nothing hangs on one sample. Recent
 * tasks count most: that matters more than having many (Tsafrir, Etsion, Feitelson, TPDS 2007).
 */
export class DurationHistory {
  private readonly groups = new Map<string, Group>();

  constructor(private readonly rules: DurationRules) {
    for (const [name, value] of Object.entries(rules)) {
      if (!(value > 0 && Number.isFinite(value))) throw new RangeError(`${name}: above zero, not ${value}`);
    }
  }

  /** A task of these groups ended after so long. */
  learn(groupKeys: readonly string[], durationMs: number): void {
    if (!(durationMs >= 0 && Number.isFinite(durationMs))) {
      throw new RangeError(`durationMs: finite, zero or more, not ${durationMs}`);
    }
    const kept = 1 - 1 / this.rules.memoryTasks;
    const bin = binOf(durationMs);
    for (const key of groupKeys) {
      const group = this.groups.get(key) ?? { weight: 0, sumMs: 0, counts: new Float64Array(DURATION_BINS) };
      group.weight = group.weight * kept + 1;
      group.sumMs = group.sumMs * kept + durationMs;
      for (let index = 0; index < DURATION_BINS; index++) group.counts[index]! *= kept;
      group.counts[bin]! += 1;
      this.remember(key, group);
    }
  }

  /** What is believed of a task of these groups, the coarsest first. */
  forecast(groupKeys: readonly string[]): DurationForecast {
    const { priorMs, priorTasks } = this.rules;
    let meanMs = priorMs;
    const chances = new Float64Array(DURATION_BINS);
    chances[binOf(priorMs)] = 1;
    for (const key of groupKeys) {
      const group = this.groups.get(key);
      if (!group) continue;
      const all = group.weight + priorTasks;
      meanMs = (group.sumMs + priorTasks * meanMs) / all;
      for (let bin = 0; bin < DURATION_BINS; bin++) {
        chances[bin] = (group.counts[bin]! + priorTasks * chances[bin]!) / all;
      }
    }
    return new DurationForecast(meanMs, chances);
  }

  /** The group that was used longest ago comes first. */
  record(): DurationGroupRecord[] {
    return [...this.groups].map(([key, { weight, sumMs, counts }]) => {
      const sparse: number[] = [];
      for (const [bin, count] of counts.entries()) if (count > 0) sparse.push(bin, count);
      return { key, weight, sumMs, counts: sparse };
    });
  }

  /** Takes what another history of the same rules has learned; this one has learned nothing yet. */
  restore(groups: readonly DurationGroupRecord[]): void {
    for (const { key, weight, sumMs, counts: sparse } of groups) {
      const counts = new Float64Array(DURATION_BINS);
      for (let at = 0; at < sparse.length; at += 2) counts[sparse[at]!] = sparse[at + 1]!;
      this.remember(key, { weight, sumMs, counts });
    }
  }

  private remember(key: string, group: Group): void {
    this.groups.delete(key);
    this.groups.set(key, group);
    if (this.groups.size <= this.rules.groupsMax) return;
    for (const eldest of this.groups.keys()) {
      this.groups.delete(eldest);
      return;
    }
  }
}
