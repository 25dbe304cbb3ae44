import { DemandTable } from '@astro/matching/engine/demand';
import { PlacementEngine, type Placement } from '@astro/matching/engine/engine';
import type { NodeOffer } from '@astro/matching/engine/offer';
import type { Policy } from '@astro/matching/engine/policy';
import type { TaskRequest } from '@astro/matching/engine/request';
import { ShapeTable, type Shape } from '@astro/matching/engine/shape';
import { policyAlone, type TermWeights } from '@astro/matching/engine/weights';
import { astro } from '@astro/matching/policy/astro';
import { bestFit } from '@astro/matching/policy/best-fit';
import { fgd } from '@astro/matching/policy/fgd';
import { ArrivalMix, defaultArrivalMix } from '@astro/matching/policy/learning/arrival-mix';
import { priorMix } from '@astro/matching/policy/learning/prior-mix';
import type { LinearSolver } from '@astro/matching/policy/learning/linear-solver';
import { learnPlacementValues } from '@astro/matching/policy/learning/placement-values';
import { fleetOf, mixOf } from './cluster.js';
import { requestClasses } from './scale.js';
import { SyntheticMarket } from './synthetic-fleet.js';
import { runExperiment, type Placer, type Run, type Trace } from './experiment.js';
import { PwrFgd } from './pwr-fgd.js';

/** In the order in which they are measured. `astroLearned` knows of the mix only what has arrived in its run. */
export const allocationPolicies = ['astro', 'astroLearned', 'fgd', 'bestfit', 'random'] as const;
/** What power is compared with: PWR+FGD, with the weight of power of 1,000. */
export const powerPolicies = ['pwr50fgd950', 'pwr100fgd900', 'pwr200fgd800'] as const;
export const policyNames = [...allocationPolicies, ...powerPolicies] as const;
export type PolicyName = (typeof policyNames)[number];

/** Seed of the scenarios that are drawn in learning, whatever the seed of the arrivals. */
const learningSeed = 1;

/** A pool that knows only its belief learns first after so many arrivals, then each time that they have doubled. */
const firstLearning = 125;

/** Runs one policy on one seed of the trace. */
export type Measure = (seed: number) => Run;

/** @param watts weight of added power for `astro` and `astroLearned`, in devices for each kilowatt */
export function measureOf(name: PolicyName, trace: Trace, solver: LinearSolver, watts: number): Measure {
  const weights: TermWeights = { ...policyAlone, watts };
  const using = (policy: Policy, given: TermWeights): Measure => {
    return seed => runExperiment(trace, new PlacementEngine({ policy, weights: given }), seed);
  };
  switch (name) {
    case 'astro':
      return using(
        astro(learnPlacementValues(solver, fleetOf(trace.nodes), mixOf(trace.pods), learningSeed)),
        weights,
      );
    case 'astroLearned':
      return seed => runExperiment(trace, new Learner(trace, solver, weights), seed);
    case 'fgd':
      return using(fgd(mixOf(trace.pods)), policyAlone);
    case 'bestfit':
      return using(bestFit, policyAlone);
    case 'random':
      return seed => using({ kind: 'random', name, seed }, policyAlone)(seed);
    case 'pwr50fgd950':
    case 'pwr100fgd900':
    case 'pwr200fgd800': {
      const powerWeight = Number(/\d+/.exec(name));
      return seed => runExperiment(trace, new PwrFgd(mixOf(trace.pods), powerWeight), seed);
    }
  }
}

/** Every term counts a little, as it does in a market. */
export const marketWeights: TermWeights = {
  ...policyAlone,
  price: 0.05,
  reliability: 0.05,
  performance: 0.05,
  locality: 0.05,
  watts: 0.05,
  spread: 0.05,
  referencePriceAtto: 10n ** 15n,
};

/** Nodes and requests of the synthetic market that `astro` learns from: enough for its mix, not the fleet itself. */
const marketSample = { nodes: 500, requests: 5_000 } as const;

/** `astro` as it has learned the synthetic market of a fleet of this size. */
export function marketPolicy(nodes: number, solver: LinearSolver): Policy {
  const market = new SyntheticMarket(nodes, requestClasses);
  const [shapes, demands, mix] = [new ShapeTable(), new DemandTable(), new ArrivalMix()];
  const fleet = new Map<Shape, number>();
  for (let index = 0; index < marketSample.nodes; index++) {
    const shape = shapes.intern(market.node(index, nodes));
    fleet.set(shape, (fleet.get(shape) ?? 0) + 1);
  }
  for (let index = 0; index < marketSample.requests; index++) {
    mix.arrived(demands.intern(market.request(`sample-${index}`).requirements));
  }
  const counts = [...fleet].map(([shape, count]) => ({ shape, count }));
  return astro(learnPlacementValues(solver, counts, mix.rates(), learningSeed));
}

/** Begins with a belief, counts what arrives, and learns anew each time that the arrivals have doubled. */
class Learner implements Placer {
  private readonly fleet;
  private readonly engine: PlacementEngine;
  private readonly demands = new DemandTable();
  private readonly mix = new ArrivalMix(defaultArrivalMix, priorMix(this.demands));
  private arrivals = 0;
  private next = firstLearning;

  constructor(
    { nodes }: Trace,
    private readonly solver: LinearSolver,
    private readonly weights: TermWeights,
  ) {
    this.fleet = fleetOf(nodes);
    this.engine = new PlacementEngine({ policy: this.policy(), weights });
  }

  addNode(offer: NodeOffer): void {
    this.engine.addNode(offer);
  }

  place(request: TaskRequest): Placement | 'NoNodeFits' {
    if (this.arrivals === this.next) {
      this.next *= 2;
      this.engine.use(this.policy(), this.weights);
    }
    this.arrivals += 1;
    this.mix.arrived(this.demands.intern(request.requirements));
    return this.engine.place(request);
  }

  private policy(): Policy {
    return astro(learnPlacementValues(this.solver, this.fleet, this.mix.rates(), learningSeed));
  }
}
