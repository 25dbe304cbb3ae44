import type { PlacementEngine } from './engine.js';
import { failedFilters, filterNames, type FilterName } from './filters.js';
import type { TaskRequest } from './request.js';
import type { Query } from './search.js';
import { doesNotFit } from './scorer.js';

/** Parts of a score, already weighted; they add up to it. */
export type ScoreTerms = {
  /** The policy's score and the power term, which depend on the same state. */
  readonly allocation: number;
  readonly price: number;
  readonly reliability: number;
  readonly performance: number;
  readonly locality: number;
  readonly spread: number;
};

/** The one thing that, had it been otherwise, would have made the node win; all else as it is. */
export type WinningChange =
  /** Of the price that counts: on demand, or what the node asks of interruptible work. */
  | { readonly change: 'price'; readonly percent: number }
  | { readonly change: 'reliability'; readonly to: number }
  | { readonly change: 'performance'; readonly percent: number }
  | { readonly change: 'filter'; readonly filter: FilterName };

export type ExplainedCandidate = {
  readonly nodeId: string;
  readonly score: number;
  readonly terms: ScoreTerms;
  /** How far below the winner; 0 for the winner, below 0 for a node that would win but for its filter. */
  readonly gap: number;
  /** Absent for the winner, and where no single change would do. */
  readonly wouldWinBy?: WinningChange;
};

export type Explanation = {
  readonly weightsVersion: number;
  readonly nodes: number;
  readonly passing: number;
  /** For each filter, the nodes that fail it, and those that fail nothing else. */
  readonly filters: Readonly<Record<FilterName, { readonly failing: number; readonly alone: number }>>;
  /** Nodes that pass every filter, best first; the first is where the task goes. */
  readonly best: readonly ExplainedCandidate[];
  /** Nodes that fail one filter only and would have fitted, best first. */
  readonly nearest: readonly ExplainedCandidate[];
};

/** Candidates listed of each sort, at most. */
export const candidatesListedMax = 100;

/**
 * What became of every node for the request, in the fleet as it is. Looks at all nodes; the answer is bounded by
 * `listed`. The same fleet and request give the same answer. A random policy has no reasons: all scores are equal.
 */
export function explain(engine: PlacementEngine, request: TaskRequest, listed = 10): Explanation {
  if (!Number.isInteger(listed) || listed < 1 || listed > candidatesListedMax)
    throw new RangeError(`listed is ${listed}, which is not a whole number from 1 to ${candidatesListedMax}`);
  const { columns } = engine.fleet;
  const query = engine.query(request);
  const winner = engine.findBest(query);
  const filters = Object.fromEntries(filterNames.map(name => [name, { failing: 0, alone: 0 }])) as Record<
    FilterName,
    { failing: number; alone: number }
  >;
  const best = new Shortlist(listed);
  const nearest = new Shortlist(listed);
  let passing = 0;
  for (let slot = 0; slot < columns.height; slot++) {
    if (!columns.isUsed(slot)) continue;
    const failed = failedFilters(engine, query, slot);
    for (const name of failed) filters[name].failing += 1;
    if (failed.length === 1) filters[failed[0]!].alone += 1;
    if (failed.length === 0) passing += 1;
    if (failed.length > 1) continue;
    const score = engine.indexes.scoreAt(slot, query.plan) + query.ownTerms(slot);
    if (score === doesNotFit) continue;
    (failed.length === 0 ? best : nearest).offer({ slot, score, filter: failed[0] });
  }
  const describe = (candidate: Listed) => described(engine, query, candidate, winner);
  return {
    weightsVersion: engine.termWeights.version,
    nodes: engine.fleet.size,
    passing,
    filters,
    best: best.first(winner.slot).map(describe),
    nearest: nearest.first(-1).map(describe),
  };
}

type Listed = { readonly slot: number; readonly score: number; readonly filter: FilterName | undefined };

/** The few best of many, by score, the lowest slot first among equal ones. */
class Shortlist {
  private readonly kept: Listed[] = [];

  constructor(private readonly size: number) {}

  offer(candidate: Listed): void {
    const { kept, size } = this;
    if (kept.length === size && kept[size - 1]!.score >= candidate.score) return;
    let at = kept.length;
    while (at > 0 && kept[at - 1]!.score < candidate.score) at -= 1;
    kept.splice(at, 0, candidate);
    if (kept.length > size) kept.pop();
  }

  /** With the slot before its equals, as a tie may have been decided for it. */
  first(slot: number): readonly Listed[] {
    return this.kept.toSorted(
      (a, b) => b.score - a.score || Number(b.slot === slot) - Number(a.slot === slot),
    );
  }
}

function described(
  engine: PlacementEngine,
  query: Query,
  { slot, score, filter }: Listed,
  winner: { readonly slot: number; readonly score: number },
): ExplainedCandidate {
  const { nodeId } = engine.fleet.factsOf(slot);
  const gap = winner.slot < 0 ? 0 : winner.score - score;
  const terms = termsOf(engine, query, slot);
  const candidate = { nodeId, score, terms, gap };
  if (slot === winner.slot) return candidate;
  if (filter) return gap <= 0 ? { ...candidate, wouldWinBy: { change: 'filter', filter } } : candidate;
  const wouldWinBy = smallestChange(engine, query, slot, gap);
  return wouldWinBy ? { ...candidate, wouldWinBy } : candidate;
}

function termsOf(engine: PlacementEngine, query: Query, slot: number): ScoreTerms {
  const { fleet, termWeights: weights } = engine;
  const { columns } = fleet;
  const { isInterruptible } = query.plan;
  const fromNode = columns.staticTermsFor(isInterruptible)[slot]!;
  return {
    allocation: engine.indexes.scoreAt(slot, query.plan) - fromNode,
    price: -(weights.price * columns.pricesFor(isInterruptible)[slot]!) / Number(weights.referencePriceAtto),
    reliability: weights.reliability * columns.reliability[slot]!,
    performance: weights.performance * columns.performance[slot]!,
    locality: query.localityTerm(slot),
    spread: query.spreadTerm(slot),
  };
}

/** Just past the gap, so that the change wins rather than draws. */
const margin = 1 + 1e-9;

function smallestChange(
  engine: PlacementEngine,
  { plan }: Query,
  slot: number,
  gap: number,
): WinningChange | undefined {
  const { fleet, termWeights: weights } = engine;
  const { reliability, performance } = fleet.columns;
  const price = fleet.columns.pricesFor(plan.isInterruptible);
  const lack = gap === 0 ? Number.EPSILON : gap * margin;
  const cheaper = (lack * Number(weights.referencePriceAtto)) / (weights.price * price[slot]!);
  if (weights.price > 0 && cheaper <= 1) return { change: 'price', percent: -100 * cheaper };
  const reliable = reliability[slot]! + lack / weights.reliability;
  if (weights.reliability > 0 && reliable <= 1) return { change: 'reliability', to: reliable };
  const faster = lack / (weights.performance * performance[slot]!);
  return weights.performance > 0 ? { change: 'performance', percent: 100 * faster } : undefined;
}
