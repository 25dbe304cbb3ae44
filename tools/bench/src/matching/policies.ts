import { DemandTable } from '@astro/matching/engine/demand';
import type { PlacementEngine } from '@astro/matching/engine/engine';
import type { Policy } from '@astro/matching/engine/policy';
import { ShapeTable, type Shape } from '@astro/matching/engine/shape';
import { policyAlone, type TermWeights } from '@astro/matching/engine/weights';
import { astro } from '@astro/matching/policy/astro';
import { bestFit } from '@astro/matching/policy/best-fit';
import { fgd } from '@astro/matching/policy/fgd';
import { ArrivalMix } from '@astro/matching/policy/learning/arrival-mix';
import type { LinearSolver } from '@astro/matching/policy/learning/linear-solver';
import { learnPlacementValues, type PlacementValues } from '@astro/matching/policy/learning/placement-values';
import { fleetOf, mixOf } from './cluster.js';
import { requestClasses } from './scale.js';
import { SyntheticMarket } from './synthetic-fleet.js';
import { runExperiment, type Observer, type Run, type Trace } from './experiment.js';

/** In the order in which they are measured. `astroLearned` knows of the mix only what has arrived in its run. */
export const policyNames = ['astro', 'astroLearned', 'fgd', 'bestfit', 'random'] as const;
export type PolicyName = (typeof policyNames)[number];

/** Seed of the scenarios that are drawn in learning, whatever the seed of the arrivals. */
const learningSeed = 1;

/** A pool that knows nothing learns first after so many arrivals, then each time that they have doubled. */
const firstLearning = 250;

/** Runs one policy on one seed of the trace. */
export type Measure = (seed: number) => Run;

/** @param watts weight of added power for `astro` and `astroLearned`, in devices for each kilowatt */
export function measureOf(name: PolicyName, trace: Trace, solver: LinearSolver, watts: number): Measure {
  const weights: TermWeights = { ...policyAlone, watts };
  switch (name) {
    case 'astro': {
      const known = learnPlacementValues(solver, fleetOf(trace.nodes), mixOf(trace.pods), learningSeed);
      const policy = astro(known);
      return seed => runExperiment(trace, policy, weights, seed);
    }
    case 'astroLearned':
      return seed => {
        const nothing: PlacementValues = {
          demands: [],
          scenarios: [],
          typical: [],
          scarcity: new Float64Array(),
        };
        return runExperiment(trace, astro(nothing), weights, seed, learner(trace, solver, weights));
      };
    case 'fgd':
      return withPolicy(trace, fgd(mixOf(trace.pods)));
    case 'bestfit':
      return withPolicy(trace, bestFit);
    case 'random':
      return seed => runExperiment(trace, { kind: 'random', name, seed }, policyAlone, seed);
  }
}

const withPolicy =
  (trace: Trace, policy: Policy): Measure =>
  seed =>
    runExperiment(trace, policy, policyAlone, seed);

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

/** Counts what arrives and learns anew each time that the arrivals have doubled. */
function learner({ nodes }: Trace, solver: LinearSolver, weights: TermWeights): Observer {
  const [fleet, demands, mix] = [fleetOf(nodes), new DemandTable(), new ArrivalMix()];
  let [arrivals, next] = [0, firstLearning];
  return (engine: PlacementEngine, { requirements }) => {
    if (arrivals === next) {
      next *= 2;
      engine.use(astro(learnPlacementValues(solver, fleet, mix.rates(), learningSeed)), weights);
    }
    arrivals += 1;
    mix.arrived(demands.intern(requirements));
  };
}
