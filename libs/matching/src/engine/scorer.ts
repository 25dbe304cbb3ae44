import { applyChoice, choicesFor, noUnits, ScratchState, wattsOf, type Choice } from './choice.js';
import type { Demand, DemandTable } from './demand.js';
import { sortsUnits, type NodeState, type Policy } from './policy.js';
import { unitsMax, type UnitGroup } from './shape.js';
import { hashOf, StateCache } from './state-cache.js';
import type { TermWeights } from './weights.js';

/** The score of a demand on a node where it does not fit. */
export const doesNotFit = Number.NEGATIVE_INFINITY;
const potentialTag = 0;

/** Scores by demand and state, which equal nodes share; potentials by state, which demands share as well. */
export class Scorer {
  private readonly scores: StateCache;
  private readonly potentials: StateCache;
  private isSorted: boolean;
  private readonly after = new ScratchState();
  private readonly choices = new Int32Array(unitsMax);
  /** Of the last `score` that was not `doesNotFit`. */
  choice: Choice = noUnits;
  /** How often the policy was asked, to show what the caches save. */
  policyCalls = 0;

  constructor(
    private readonly demands: DemandTable,
    private policy: Policy,
    private weights: TermWeights,
    cacheBits: number,
  ) {
    this.scores = new StateCache(cacheBits);
    this.potentials = new StateCache(cacheBits);
    this.isSorted = sortsUnits(policy);
  }

  /** Everything that was scored by the policy and the weights before is forgotten. */
  use(policy: Policy, weights: TermWeights): void {
    this.policy = policy;
    this.weights = weights;
    this.isSorted = sortsUnits(policy);
    this.clear();
  }

  clear(): void {
    this.scores.clear();
    this.potentials.clear();
  }

  /**
   * The policy's and the power term's score of the best choice on the state, `doesNotFit` where there is none;
   * the first of equal choices is taken. `hash` is that of the state.
   */
  score(demand: Demand, state: NodeState, hash: number): number {
    if (state.freeCpuMillis < demand.cpuMillis) return doesNotFit;
    const groups = this.demands.groupsFor(demand, state.shape);
    if (demand.kind !== undefined && groups.length === 0) return doesNotFit;
    const tag = demand.id + 1;
    const entry = this.scores.entryOf(tag, hash, state);
    if (entry >= 0 && this.scores.holds(entry, tag, state)) {
      this.choice = this.scores.choices[entry]!;
      return this.scores.values[entry]!;
    }
    const best = this.bestChoice(demand, groups, state, hash);
    if (entry >= 0) this.scores.write(entry, tag, state, best, this.choice);
    return best;
  }

  private bestChoice(demand: Demand, groups: readonly UnitGroup[], state: NodeState, hash: number): number {
    const { policy, choices } = this;
    const possible = choicesFor(demand, groups, state, choices);
    const isTightest = policy.kind !== 'random' && policy.takesTightest === true && possible > 1;
    if (isTightest) choices[0] = tightestOf(choices.subarray(0, possible), state);
    const count = isTightest ? 1 : possible;
    let best = doesNotFit;
    for (let index = 0; index < count; index++) {
      const choice = this.choices[index]!;
      const score = this.scoreOf(choice, demand, groups, state, hash);
      if (score <= best) continue;
      best = score;
      this.choice = choice;
    }
    return best;
  }

  private scoreOf(
    choice: Choice,
    demand: Demand,
    groups: readonly UnitGroup[],
    before: NodeState,
    hash: number,
  ): number {
    const { policy, weights, after } = this;
    applyChoice(choice, demand, groups, before, after, this.isSorted);
    let score = 0;
    if (weights.policy > 0 && policy.kind !== 'random') {
      this.policyCalls += 1;
      score =
        policy.kind === 'direct'
          ? policy.score(demand, before, after)
          : policy.score(this.potential(after, hashOf(after)) - this.potential(before, hash), demand, before);
      if (!Number.isFinite(score)) throw new Error(`policy ${policy.name} scored ${score}`);
      score *= weights.policy;
    }
    if (weights.watts > 0) score -= (weights.watts * (wattsOf(after) - wattsOf(before))) / 1000;
    return score;
  }

  private potential(state: NodeState, hash: number): number {
    if (this.policy.kind !== 'potential') return 0;
    const entry = this.potentials.entryOf(potentialTag, hash, state);
    if (entry >= 0 && this.potentials.holds(entry, potentialTag, state))
      return this.potentials.values[entry]!;
    const value = this.policy.potential(state);
    if (entry >= 0) this.potentials.write(entry, potentialTag, state, value, noUnits);
    return value;
  }
}

function tightestOf(choices: Int32Array, { freeShares }: NodeState): Choice {
  let tightest = choices[0]!;
  for (const choice of choices) {
    if (choice >= 0 && freeShares[choice]! < freeShares[tightest]!) tightest = choice;
  }
  return tightest;
}
