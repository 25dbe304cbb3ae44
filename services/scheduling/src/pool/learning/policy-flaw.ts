import { unitsMax, wholeShare } from '@astro/matching/engine/shape';
import type { LearnedDemand, LearnedPolicy, LearnedScenario, LearnedShape } from '@astro/messages/scheduling';
import { ASTRO } from './learned-policy.js';
import { learningLimits } from './learning-limits.js';

/** Far beyond every value that is learned, and far below where sums lose their meaning. */
const VALUE_MAX = 1e9;
/** What sums to 1 does so but for rounding. */
const ROUNDING = 1e-6;

type Flaws = Iterable<string>;

/** The first thing that is wrong with a policy: names the field and its rule. Undefined for a sound one. */
export function policyFlaw(policy: LearnedPolicy): string | undefined {
  for (const flaw of flawsOf(policy)) return flaw;
  return undefined;
}

function* flawsOf({ name, version, demands, scenarios, fleet }: LearnedPolicy): Flaws {
  if (name !== ASTRO) yield `name: '${name.slice(0, 40)}' is not ${ASTRO}`;
  if (!isWhole(version, 2, 2 ** 32 - 1)) yield `version: ${version} is not a whole number from 2 up`;
  yield* counted('demands', demands.length, 1, learningLimits.demands);
  yield* counted('scenarios', scenarios.length, 1, learningLimits.scenarios);
  yield* counted('fleet', fleet.length, 1, learningLimits.shapes);
  for (const [row, demand] of demands.entries()) yield* demandFlaws(`demands[${row}]`, demand);
  for (const [draw, scenario] of scenarios.entries())
    yield* scenarioFlaws(`scenarios[${draw}]`, scenario, demands.length);
  for (const [row, shape] of fleet.entries()) yield* shapeFlaws(`fleet[${row}]`, shape);
  yield* sumsToOne(
    'demands.probability',
    demands.map(({ probability }) => probability),
  );
  yield* sumsToOne(
    'scenarios.weight',
    scenarios.map(({ weight }) => weight),
  );
}

function* demandFlaws(path: string, demand: LearnedDemand): Flaws {
  const { kind, unitCount, shareThousandths, models, profile, vendor } = demand;
  if (!isWhole(unitCount, 0, unitsMax)) yield `${path}.unitCount: ${unitCount} is not 0 to ${unitsMax}`;
  if (unitCount > 0 && kind === 'unspecified') yield `${path}.kind: units are asked for, but of no kind`;
  const [least, most] = unitCount === 0 ? [0, 0] : [1, wholeShare];
  if (!isWhole(shareThousandths, least, most))
    yield `${path}.shareThousandths: ${shareThousandths} is not ${least} to ${most}`;
  yield* counted(`${path}.models`, models.length, 0, learningLimits.models);
  const texts = { profile, vendor, models: models.reduce((a, b) => (a.length > b.length ? a : b), '') };
  for (const [field, text] of Object.entries(texts))
    if (text.length > learningLimits.text)
      yield `${path}.${field}: ${text.length} characters are more than ${learningLimits.text}`;
  const { rate, probability, scarcity } = demand;
  if (!isBetween(rate, 0, VALUE_MAX) || rate === 0) yield `${path}.rate: ${rate} is not above 0`;
  if (!isBetween(probability, 0, 1 + ROUNDING)) yield `${path}.probability: ${probability} is not 0 to 1`;
  if (!isBetween(scarcity, 0, VALUE_MAX)) yield `${path}.scarcity: ${scarcity} is not from 0 up`;
}

function* scenarioFlaws(path: string, scenario: LearnedScenario, demands: number): Flaws {
  const { weight, worth, isPresent } = scenario;
  if (!isBetween(weight, 0, 1 + ROUNDING)) yield `${path}.weight: ${weight} is not 0 to 1`;
  for (const [field, { length }] of Object.entries({ worth, isPresent }))
    if (length !== demands) yield `${path}.${field}: ${length} entries for ${demands} demands`;
  for (const [row, units] of worth.entries())
    if (!isBetween(units, -VALUE_MAX, VALUE_MAX))
      yield `${path}.worth[${row}]: ${units} is not a number of at most ${VALUE_MAX}`;
}

function* shapeFlaws(path: string, { digest, nodes, units }: LearnedShape): Flaws {
  if (!/^shape_[0-9a-z]{26}$/.test(digest)) yield `${path}.digest: not shape_ and 26 digits`;
  if (nodes < 1) yield `${path}.nodes: ${nodes} is not from 1 up`;
  if (!isWhole(units, 0, unitsMax)) yield `${path}.units: ${units} is not 0 to ${unitsMax}`;
}

function* counted(field: string, count: number, least: number, most: number): Flaws {
  if (count < least || count > most) yield `${field}: ${count} entries are not ${least} to ${most}`;
}

function* sumsToOne(field: string, values: readonly number[]): Flaws {
  const sum = values.reduce((all, value) => all + value, 0);
  if (!isBetween(sum, 1 - ROUNDING, 1 + ROUNDING)) yield `${field}: they sum to ${sum} instead of 1`;
}

const isBetween = (value: number, least: number, most: number): boolean => value >= least && value <= most;
const isWhole = (value: number, least: number, most: number): boolean =>
  Number.isInteger(value) && isBetween(value, least, most);
