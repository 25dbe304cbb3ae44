import type { FilterPlan } from './filter-plan.js';
import type { Fleet } from './fleet.js';
import type { Random } from './random.js';
import type { TaskRequest } from './request.js';
import type { ScoreIndex } from './score-index.js';
import { doesNotFit } from './scorer.js';
import type { TermWeights } from './weights.js';

/** Where the search may look, when not everywhere: slots in ascending order, or a test. */
export type Domain = { readonly slots: readonly number[] } | { readonly isIn: (slot: number) => boolean };

/** One request against the fleet as it is. */
export class Query {
  private readonly nodesExcluded: ReadonlySet<number> | undefined;
  private readonly operatorsExcluded: ReadonlySet<number> | undefined;
  private readonly siblingsByOperator: ReadonlyMap<number, number> | undefined;
  private readonly isTimed: boolean;
  readonly request: TaskRequest;

  constructor(
    private readonly fleet: Fleet,
    readonly plan: FilterPlan,
    request: TaskRequest,
    private readonly weights: TermWeights,
  ) {
    this.request = request;
    this.isTimed = request.deadlineMs !== undefined || fleet.maintenance.size > 0;
    if (request.nodesExcluded.size > 0)
      this.nodesExcluded = known(request.nodesExcluded, id => fleet.slotOf(id));
    if (request.operatorsExcluded.size > 0)
      this.operatorsExcluded = known(request.operatorsExcluded, id => fleet.operators.idOf(id));
    if (weights.spread > 0 && request.siblingNodes.length > 0) this.siblingsByOperator = this.countSiblings();
  }

  /** Every filter but the standing ones and that of the demand, which the search applies by index. */
  admits(slot: number): boolean {
    if (!this.plan.admits(slot)) return false;
    if (this.isExcludedNode(slot) || this.isExcludedOperator(slot)) return false;
    return !this.isTimed || (this.meetsDeadline(slot) && this.avoidsMaintenance(slot));
  }

  isExcludedNode(slot: number): boolean {
    return this.nodesExcluded !== undefined && this.nodesExcluded.has(slot);
  }

  isExcludedOperator(slot: number): boolean {
    return (
      this.operatorsExcluded !== undefined && this.operatorsExcluded.has(this.fleet.columns.operator[slot]!)
    );
  }

  meetsDeadline(slot: number): boolean {
    const { deadlineMs } = this.request;
    return deadlineMs === undefined || this.expectedEndMs(slot) <= deadlineMs;
  }

  avoidsMaintenance(slot: number): boolean {
    const windows = this.fleet.maintenance.get(slot);
    if (!windows) return true;
    const [startMs, endMs] = [this.request.decidedAtMs, this.expectedEndMs(slot)];
    return windows.every(({ fromMs, untilMs }) => endMs <= fromMs || startMs >= untilMs);
  }

  /** What the request itself adds to the node's score: at most `bonusMax`. */
  ownTerms(slot: number): number {
    return this.localityTerm(slot) + this.spreadTerm(slot);
  }

  /** The most that `localityTerm` gives a node that holds any of the datasets; others get nothing. */
  get bonusMax(): number {
    return this.plan.needs.datasets.length > 0 ? this.weights.locality : 0;
  }

  /** Slots of nodes that hold some of the datasets, ascending. */
  holders(): readonly number[] {
    const slots = new Set<number>();
    for (const dataset of this.plan.needs.datasets) {
      for (const slot of this.fleet.byDataset.slotsOf(dataset)) slots.add(slot);
    }
    return [...slots].sort((a, b) => a - b);
  }

  localityTerm(slot: number): number {
    const { datasets } = this.plan.needs;
    if (this.bonusMax === 0) return 0;
    const held = datasets.filter(dataset => this.fleet.byDataset.slotsOf(dataset).has(slot)).length;
    return (this.weights.locality * held) / datasets.length;
  }

  spreadTerm(slot: number): number {
    const siblings = this.siblingsByOperator?.get(this.fleet.columns.operator[slot]!) ?? 0;
    return siblings === 0 ? 0 : -this.weights.spread * siblings;
  }

  private expectedEndMs(slot: number): number {
    return (
      this.request.decidedAtMs + this.plan.needs.expectedDurationMs / this.fleet.columns.performance[slot]!
    );
  }

  private countSiblings(): ReadonlyMap<number, number> {
    const counts = new Map<number, number>();
    for (const nodeId of this.request.siblingNodes) {
      const slot = this.fleet.slotOf(nodeId);
      if (slot === undefined) continue;
      const operator = this.fleet.columns.operator[slot]!;
      counts.set(operator, (counts.get(operator) ?? 0) + 1);
    }
    return counts;
  }
}

function known(names: ReadonlySet<string>, find: (name: string) => number | undefined): ReadonlySet<number> {
  const found = new Set<number>();
  for (const name of names) {
    const id = find(name);
    if (id !== undefined) found.add(id);
  }
  return found;
}

export type Found = { readonly slot: number; readonly score: number };
export const nothingFound: Found = { slot: -1, score: doesNotFit };

/**
 * The node with the highest score that passes every filter, the lowest slot of equal ones. Branch and bound:
 * a block whose best score cannot win is passed over, and of the others only nodes whose attributes fit are
 * looked at.
 */
export function search(index: ScoreIndex, query: Query, domain?: Domain): Found {
  query.plan.beginSearch();
  const inDomain = domain && 'isIn' in domain ? domain.isIn : undefined;
  if (domain && 'slots' in domain) return bestOf(domain.slots, index, query);
  const named = query.plan.slotsNamed();
  if (named) return bestOf(inDomain ? named.filter(inDomain) : named, index, query);
  if (query.bonusMax === 0) return bestByIndex(index, query, nothingFound, inDomain);
  // Only the few nodes that hold data get a bonus: without them the index bounds the score from above.
  const holders = query.holders();
  const best = bestOf(inDomain ? holders.filter(inDomain) : holders, index, query);
  return bestByIndex(index, query, best, inDomain);
}

function bestOf(slots: readonly number[], index: ScoreIndex, query: Query): Found {
  let [best, bestSlot] = [doesNotFit, -1];
  for (const slot of slots) {
    const leaf = index.leaves[slot]!;
    if (leaf === doesNotFit || leaf + query.bonusMax <= best) continue;
    if (!query.plan.isStanding(slot) || !query.admits(slot)) continue;
    const score = leaf + query.ownTerms(slot);
    if (score > best) [best, bestSlot] = [score, slot];
  }
  return { slot: bestSlot, score: best };
}

function bestByIndex(
  { leaves, blocks, supers }: ScoreIndex,
  query: Query,
  start: Found,
  inDomain?: (slot: number) => boolean,
): Found {
  const { plan } = query;
  let { slot: bestSlot, score: best } = start;
  for (let above = 0; above < supers.length; above++) {
    if (supers[above]! <= best) continue;
    for (let open = plan.wordsAt(above); open !== 0; open &= open - 1) {
      const block = (above << 5) | (31 - Math.clz32(open & -open));
      if (blocks[block]! <= best) continue;
      let word = plan.word(block);
      while (word !== 0) {
        const slot = (block << 5) | (31 - Math.clz32(word & -word));
        word &= word - 1;
        const leaf = leaves[slot]!;
        if (leaf <= best || !query.admits(slot) || (inDomain && !inDomain(slot))) continue;
        const score = leaf + query.ownTerms(slot);
        if (score <= best) continue;
        [best, bestSlot] = [score, slot];
      }
    }
  }
  return bestSlot === start.slot ? start : { slot: bestSlot, score: best };
}

/** One of the nodes that pass every filter, each with the same chance. Looks at all of them. */
export function searchRandom({ leaves }: ScoreIndex, query: Query, random: Random, domain?: Domain): Found {
  query.plan.beginSearch();
  const slots = domain && 'slots' in domain ? domain.slots : leaves.keys();
  let [chosen, passing] = [-1, 0];
  for (const slot of slots) {
    if (leaves[slot] === doesNotFit || !query.plan.isStanding(slot) || !query.admits(slot)) continue;
    if (domain && 'isIn' in domain && !domain.isIn(slot)) continue;
    passing += 1;
    if (random.below(passing) === 0) chosen = slot;
  }
  return chosen < 0 ? nothingFound : { slot: chosen, score: leaves[chosen]! };
}
