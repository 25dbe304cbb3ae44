import { choicesFor, noUnits, positionsOf, ScratchState, type Choice } from './choice.js';
import { DemandTable, type Demand } from './demand.js';
import { FilterPlan } from './filter-plan.js';
import { Fleet, type UpdateOutcome } from './fleet.js';
import type { Hold, UnitHold } from './hold.js';
import { ScoreIndexes } from './indexes.js';
import { Journal } from './journal.js';
import type { NodeOffer } from './offer.js';
import { sortsUnits, type Policy } from './policy.js';
import { Random } from './random.js';
import type { Requirements, TaskRequest } from './request.js';
import { nothingFound, Query, search, searchRandom, type Domain, type Found } from './search.js';
import { Scorer } from './scorer.js';
import { unitsMax } from './shape.js';
import { StandingMasks } from './standing-mask.js';
import { assertWeights, type TermWeights } from './weights.js';

export type EngineOptions = {
  readonly policy: Policy;
  readonly weights: TermWeights;
  /** The caches of scores and of potentials grow to 2^`cacheBits` entries of 56 bytes each. Default 17. */
  readonly cacheBits?: number;
  /** Bytes for score indexes, 8.3 for each node and demand. Default 1 GiB. */
  readonly indexBytesMax?: number;
};

export type Placement = {
  readonly taskId: string;
  readonly nodeId: string;
  readonly operatorId: string;
  readonly hold: Hold;
  /** What the node asks, and what it asks for what may be stopped with notice. */
  readonly priceAtto: bigint;
  readonly interruptiblePriceAtto: bigint;
  readonly score: number;
  /** Of the weights that decided. */
  readonly weightsVersion: number;
};

/** Distinct demands that are remembered; past it the engine forgets all that it has scored and goes on. */
const demandsMax = 65_536;

/**
 * Places tasks on nodes. Pure: no I/O, no clock, no randomness but a seed; the same calls give the same
 * answers. A decision costs about as much as the number of nodes that changed since the demand was last asked
 * for, not as much as the number of nodes.
 */
export class PlacementEngine {
  readonly fleet: Fleet;
  readonly indexes: ScoreIndexes;
  readonly scorer: Scorer;
  readonly demands = new DemandTable();
  private plans = new WeakMap<Requirements, FilterPlan>();
  private readonly journal: Journal;
  private readonly masks: StandingMasks;
  private readonly state = new ScratchState();
  private readonly positions = new Int32Array(unitsMax);
  private policy: Policy;
  private weights: TermWeights;
  private random: Random;

  constructor({ policy, weights, cacheBits = 17, indexBytesMax = 2 ** 30 }: EngineOptions) {
    assertWeights(weights);
    this.policy = policy;
    this.weights = weights;
    this.random = new Random(policy.kind === 'random' ? policy.seed : 0);
    this.fleet = new Fleet(weights, sortsUnits(policy));
    this.journal = new Journal(this.fleet);
    this.masks = new StandingMasks(this.fleet);
    this.scorer = new Scorer(this.demands, policy, weights, cacheBits);
    this.indexes = new ScoreIndexes(this.fleet, this.scorer, indexBytesMax);
  }

  /** What decides now. */
  get termWeights(): TermWeights {
    return this.weights;
  }

  /** Throws when there is a node of this id. */
  addNode(offer: NodeOffer): void {
    this.journal.assertClosed();
    this.fleet.add(offer);
  }

  /** What was held of the node is gone with it. */
  removeNode(nodeId: string): 'removed' | 'NodeNotFound' {
    this.journal.assertClosed();
    return this.fleet.remove(nodeId) ? 'removed' : 'NodeNotFound';
  }

  updateNode(offer: NodeOffer): UpdateOutcome {
    this.journal.assertClosed();
    return this.fleet.update(offer);
  }

  /** Other weights or another policy from now on; every score is computed anew when it is next needed. */
  use(policy: Policy, weights: TermWeights): void {
    assertWeights(weights);
    this.policy = policy;
    this.weights = weights;
    this.random = new Random(policy.kind === 'random' ? policy.seed : 0);
    this.fleet.use(weights, sortsUnits(policy));
    this.scorer.use(policy, weights);
    this.indexes.clear();
  }

  /** Takes what the task needs of the best node. `NoNodeFits`: no node passes every filter now. */
  place(request: TaskRequest): Placement | 'NoNodeFits' {
    const query = this.query(request);
    const found = this.find(query);
    return found.slot < 0 ? 'NoNodeFits' : this.grant(query, found);
  }

  /** Takes a hold as it was granted before, for example when the state is rebuilt from events. */
  take(hold: Hold): 'taken' | 'NodeNotFound' {
    const slot = this.fleet.slotOf(hold.nodeId);
    if (slot === undefined) return 'NodeNotFound';
    this.journal.take(slot, hold);
    return 'taken';
  }

  /** Throws when the node does not hold that much: a hold that is released twice. */
  release(hold: Hold): 'released' | 'NodeNotFound' {
    const slot = this.fleet.slotOf(hold.nodeId);
    if (slot === undefined) return 'NodeNotFound';
    this.journal.giveBack(slot, hold);
    return 'released';
  }

  /** Runs `act`, which may place, take and release, and undoes exactly what it did. */
  simulate<Result>(act: () => Result): Result {
    return this.journal.attempt(act, () => false);
  }

  /** Runs `act` and undoes what it did unless `isKept`. */
  attempt<Result>(act: () => Result, isKept: (result: Result) => boolean): Result {
    return this.journal.attempt(act, isKept);
  }

  query(request: TaskRequest): Query {
    return new Query(this.fleet, this.planFor(request.requirements), request, this.weights);
  }

  find(query: Query, domain?: Domain): Found {
    const index = this.indexes.of(query.plan);
    if (this.fleet.size === 0) return nothingFound;
    return this.policy.kind === 'random'
      ? searchRandom(index, query, this.random, domain)
      : search(index, query, domain);
  }

  /** As `find` for a policy that is not random: the best, and no random number is used up. */
  findBest(query: Query): Found {
    return search(this.indexes.of(query.plan), query);
  }

  /** Takes what the request needs of the node that was found. */
  grant({ plan, request }: Query, { slot, score }: Found): Placement {
    const { nodeId, priceAtto, interruptiblePriceAtto } = this.fleet.factsOf(slot);
    const { cpuMillis, memoryMib, diskMib, bandwidthMbps } = plan.needs;
    const units = this.unitsOf(slot, plan.demand);
    const hold: Hold = { nodeId, cpuMillis, memoryMib, diskMib, bandwidthMbps, units };
    this.journal.take(slot, hold);
    const operatorId = this.fleet.operators.nameOf(this.fleet.columns.operator[slot]!);
    const weightsVersion = this.weights.version;
    const prices = { priceAtto, interruptiblePriceAtto };
    return { taskId: request.taskId, nodeId, operatorId, hold, ...prices, score, weightsVersion };
  }

  private planFor(needs: Requirements): FilterPlan {
    const known = this.plans.get(needs);
    if (known?.isCurrent) return known;
    if (this.demands.size >= demandsMax) this.forgetDemands();
    const plan = new FilterPlan(this.fleet, this.demands, this.masks, needs);
    this.plans.set(needs, plan);
    return plan;
  }

  private forgetDemands(): void {
    this.demands.clear();
    this.plans = new WeakMap();
    this.masks.clear();
    this.scorer.clear();
    this.indexes.clear();
  }

  /** The units that the best choice takes, as devices of the offer. */
  private unitsOf(slot: number, demand: Demand): readonly UnitHold[] {
    if (demand.unitCount === 0) return [];
    const { columns } = this.fleet;
    const { state, positions } = this;
    columns.read(slot, state);
    const groups = this.demands.groupsFor(demand, state.shape);
    const choice = this.choiceFor(demand, state, columns.stateHash[slot]!);
    const count = positionsOf(choice, demand, groups, state, positions);
    const units: UnitHold[] = [];
    for (let index = 0; index < count; index++) {
      const position = positions[index]!;
      const group = groups.find(({ first, count: size }) => position >= first && position < first + size)!;
      let unit = group.first;
      // Sorted positions name a free share; any unit of the group with that share is as good.
      const isTaken = (candidate: number) => units.some(held => held.unit === candidate);
      while (columns.freeShare(slot, unit) !== state.freeShares[position] || isTaken(unit)) unit += 1;
      units.push({ unit, ...state.shape.origins[unit]!, shareThousandths: demand.shareThousandths });
    }
    return units;
  }

  private choiceFor(demand: Demand, state: ScratchState, hash: number): Choice {
    if (this.policy.kind === 'random') {
      const groups = this.demands.groupsFor(demand, state.shape);
      const count = choicesFor(demand, groups, state, this.positions);
      return count === 0 ? noUnits : this.positions[this.random.below(count)]!;
    }
    this.scorer.score(demand, state, hash);
    return this.scorer.choice;
  }
}
