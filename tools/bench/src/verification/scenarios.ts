import { adaptive } from '@astro/verification/policies/adaptive';
import { figures } from '@astro/verification/policies/published';
import { quorum } from '@astro/verification/policies/quorum';
import { recheck } from '@astro/verification/policies/recheck';
import { weighted } from '@astro/verification/policies/weighted';
import { profitOf, type Economy } from './economy.js';
import { populationOf, type SimulatedNode } from './node.js';
import { Simulation, type Judging } from './simulation.js';
import { colluding, honest, lateExit, randomly, targeted, type Strategy } from './strategies.js';

export type Scenario = {
  readonly policy: keyof typeof judgings;
  readonly strategy: string;
  /** Of the nodes, in percent. */
  readonly cheats: number;
  /** Whether those of a group have a network in common, which keeps them apart from the first task on. */
  readonly areKnown?: true;
};

export type Outcome = Scenario & {
  readonly tasks: number;
  /** Replicas for each accepted task. */
  readonly overhead: number;
  /** Share of wrong results among the accepted, after those that were found later were replaced. */
  readonly wrongAccepted: number;
  /** The same before anything was replaced. */
  readonly wrongDelivered: number;
  readonly honestSlashed: number;
  /** Tasks of a cheat from its first lie until it was expelled, in the mean; null where none was. */
  readonly expelAfterTasks: number | null;
  readonly expelledShare: number | null;
  /** A cheat's mean profit less an honest node's in the same run, in ASTRO; null without cheats. */
  readonly profitVsHonest: number | null;
};

const byAdaptive = adaptive(figures.adaptive);

export const judgings = {
  adaptive: { policy: byAdaptive, asksAtOnce: false, replicasMin: 1, runsAgain: byAdaptive.runsAgain },
  recheck: { policy: recheck(figures.recheck), asksAtOnce: false, replicasMin: 1 },
  quorum: { policy: quorum(figures.quorum), asksAtOnce: true, replicasMin: 2 },
  'quorum in turn': { policy: quorum(figures.quorum), asksAtOnce: false, replicasMin: 2 },
  weighted: { policy: weighted(figures.weighted), asksAtOnce: true, replicasMin: 2 },
  'weighted in turn': { policy: weighted(figures.weighted), asksAtOnce: false, replicasMin: 2 },
} satisfies Record<string, Judging>;

const NODES = 100;
const SHARES = [10, 20, 30];
/** The policies beside the default one need fewer tasks to be told apart from it. */
const OTHERS_DIVISOR = 5;
const GROUPS = [2, 3, 4, 5];

const strategiesFor = (judging: Judging): readonly Strategy[] => [
  randomly,
  targeted,
  ...GROUPS.map(size => colluding(size, judging.asksAtOnce)),
  lateExit,
];

/** Every scenario of the default policy with so many tasks, and a fifth of them for each of those beside it. */
export function* simulate(tasks: number, seed: number, economy: Economy): Generator<Outcome> {
  for (const policy of Object.keys(judgings) as (keyof typeof judgings)[]) {
    const judging: Judging = judgings[policy];
    const count = policy === 'adaptive' ? tasks : Math.ceil(tasks / OTHERS_DIVISOR);
    yield outcomeOf({ policy, strategy: 'honest', cheats: 0 }, honest, judging, {
      tasks: count,
      seed,
      economy,
    });
    for (const cheats of policy === 'adaptive' ? SHARES : [20])
      for (const strategy of strategiesFor(judging)) {
        const scenario = { policy, strategy: strategy.name, cheats };
        yield outcomeOf(scenario, strategy, judging, { tasks: count, seed, economy });
        if (strategy.groupSize > 1)
          yield outcomeOf({ ...scenario, areKnown: true }, strategy, judging, {
            tasks: count,
            seed,
            economy,
          });
      }
  }
}

function outcomeOf(
  scenario: Scenario,
  strategy: Strategy,
  judging: Judging,
  { tasks, seed, economy }: { readonly tasks: number; readonly seed: number; readonly economy: Economy },
): Outcome {
  const nodes = populationOf(NODES, (NODES * scenario.cheats) / 100, strategy, honest);
  const simulation = new Simulation(nodes, judging, seed, scenario.areKnown);
  simulation.run(tasks);
  const { accepted, replicas, wrongDelivered, wrongReplaced } = simulation.counts;
  const sound = nodes.filter(node => node.isHonest);
  const cheats = nodes.filter(node => !node.isHonest);
  const liars = cheats.filter(({ firstLieAt }) => firstLieAt !== undefined);
  const expelled = liars.filter(({ expelledAt }) => expelledAt !== undefined);
  const profit = (node: SimulatedNode) => profitOf(node.account, economy);
  return {
    ...scenario,
    tasks,
    overhead: replicas / accepted,
    wrongAccepted: (wrongDelivered - wrongReplaced) / accepted,
    wrongDelivered: wrongDelivered / accepted,
    honestSlashed: sound.filter(({ account }) => account.isSlashed).length,
    expelAfterTasks: meanOf(expelled, node => node.expelledAt! - node.firstLieAt! + 1),
    expelledShare: liars.length === 0 ? null : expelled.length / liars.length,
    profitVsHonest: cheats.length === 0 ? null : meanOf(cheats, profit)! - meanOf(sound, profit)!,
  };
}

const meanOf = <Value>(values: readonly Value[], figureOf: (value: Value) => number): number | null =>
  values.length === 0 ? null : values.reduce((sum, value) => sum + figureOf(value), 0) / values.length;
