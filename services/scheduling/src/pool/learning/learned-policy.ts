import type { PlacementValues } from '@astro/matching/policy/learning/placement-values';
import type { LearnedPolicy } from '@astro/messages/scheduling';
import { demandFrom } from './learned-demand.js';
import type { Lesson } from './lesson.js';
import { digestOf } from './shape-digest.js';

/** The algorithm that reads a learned policy, `policy/astro.ts` of the library; another number for another reading. */
export const ASTRO = 'astro/1';

/** What was learned, as it is recorded. */
export function learnedPolicyOf(lesson: Lesson, values: PlacementValues, version: number): LearnedPolicy {
  const rates = new Map(lesson.arrivals.map(({ demand, rate }) => [demand, rate]));
  const probabilities = new Map(values.typical.map(({ demand, probability }) => [demand, probability]));
  return {
    name: ASTRO,
    version,
    demands: values.demands.map((demand, row) => {
      const { id: _id, kind = 'unspecified', models, ...rest } = demand;
      return {
        ...rest,
        kind,
        models: [...models],
        rate: rates.get(demand)!,
        probability: probabilities.get(demand) ?? 0,
        scarcity: values.scarcity[row]!,
      };
    }),
    scenarios: values.scenarios.map(({ weight, worth, isPresent }) => ({
      weight,
      worth: [...worth],
      isPresent: [...isPresent].map(present => present === 1),
    })),
    fleet: lesson.fleet.map(({ shape, count: nodes }) => {
      const { unitCount: units, cpuMillis } = shape;
      return { digest: digestOf(shape), nodes, units, cpuMillis };
    }),
  };
}

/** What the policy `astro` needs to know. */
export function valuesOf({ demands: learned, scenarios }: LearnedPolicy): PlacementValues {
  const demands = learned.map(demandFrom);
  return {
    demands,
    scenarios: scenarios.map(({ weight, worth, isPresent }) => ({
      weight,
      worth: Float64Array.from(worth),
      isPresent: Uint8Array.from(isPresent, present => (present ? 1 : 0)),
    })),
    typical: learned.flatMap(({ probability }, row) =>
      probability > 0 ? [{ demand: demands[row]!, probability }] : [],
    ),
    scarcity: Float64Array.from(learned, ({ scarcity }) => scarcity),
  };
}
