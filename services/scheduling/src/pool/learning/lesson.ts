import type { Demand } from '@astro/matching/engine/demand';
import type { Shape } from '@astro/matching/engine/shape';
import {
  groupCouldHost,
  shapeCouldHostCpu,
  unitsAskedFor,
  type DemandRate,
  type ShapeCount,
} from '@astro/matching/policy/demand-rate';
import { demandKey } from '@astro/matching/policy/learning/arrival-mix';
import type { LearnedPolicy } from '@astro/messages/scheduling';
import type { Pool } from '../pool-state.js';
import { arrivalsMin, learningLimits } from './learning-limits.js';
import { demandFrom } from './learned-demand.js';
import { digestOf } from './shape-digest.js';

/** What a policy is learned from. Plain data, which can be sent to another thread. */
export type Lesson = {
  /** The hardware that most nodes have comes first. */
  readonly fleet: readonly ShapeCount[];
  /** The most frequent demand comes first; only demands that some node could host. */
  readonly arrivals: readonly DemandRate[];
};

/** A policy is learned anew when so large a part of the arrivals, or of the nodes, is other than it was. */
const DRIFT_MIN = 0.1;

/** Undefined where nothing is to be learned: no devices are offered or asked for, or too little has arrived. */
export function lessonOf({ nodes, engine, mix }: Pool): Lesson | undefined {
  const rates = mix.rates();
  if (sumOf(rates, ({ rate }) => rate) < arrivalsMin) return undefined;
  const counts = new Map<Shape, number>();
  for (const nodeId of nodes.keys()) {
    const shape = engine.fleet.columns.shapeOf(engine.fleet.slotOf(nodeId)!);
    counts.set(shape, (counts.get(shape) ?? 0) + 1);
  }
  const fleet = [...counts]
    .map(([shape, count]) => ({ shape, count, digest: digestOf(shape) }))
    .sort((left, right) => right.count - left.count || (left.digest < right.digest ? -1 : 1))
    .slice(0, learningLimits.shapes)
    .map(({ shape, count }) => ({ shape, count }));
  if (!fleet.some(({ shape }) => shape.unitCount > 0)) return undefined;
  const arrivals = rates
    .filter(({ demand, rate }) => rate > 0 && fleet.some(({ shape }) => shapeCouldHost(demand, shape)))
    .sort((left, right) => right.rate - left.rate)
    .slice(0, learningLimits.demands);
  return arrivals.some(({ demand }) => unitsAskedFor(demand) > 0) ? { fleet, arrivals } : undefined;
}

const shapeCouldHost = (demand: Demand, shape: Shape): boolean =>
  shapeCouldHostCpu(demand, shape) || shape.groups.some(group => groupCouldHost(demand, shape, group));

/** Whether a policy that was learned from something else may no longer suit. */
export function hasDrifted({ demands, fleet }: LearnedPolicy, lesson: Lesson): boolean {
  const arrivedThen = new Map(demands.map(entry => [demandKey(demandFrom(entry)), entry.rate]));
  const arrivedNow = new Map(lesson.arrivals.map(({ demand, rate }) => [demandKey(demand), rate]));
  const nodesThen = new Map(fleet.map(({ digest, nodes }) => [digest, nodes]));
  const nodesNow = new Map(lesson.fleet.map(({ shape, count }) => [digestOf(shape), count]));
  // Of arrivals only the proportions matter; of nodes their number too.
  return (
    partThatDiffers(inParts(arrivedThen), inParts(arrivedNow)) >= DRIFT_MIN ||
    partThatDiffers(nodesThen, nodesNow) >= DRIFT_MIN
  );
}

/** From 0, where both are the same, to 1, where they have nothing in common. */
function partThatDiffers(then: ReadonlyMap<string, number>, now: ReadonlyMap<string, number>): number {
  let [common, all] = [0, 0];
  for (const key of new Set([...then.keys(), ...now.keys()])) {
    common += Math.min(then.get(key) ?? 0, now.get(key) ?? 0);
    all += Math.max(then.get(key) ?? 0, now.get(key) ?? 0);
  }
  return all === 0 ? 0 : 1 - common / all;
}

function inParts(rates: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  const sum = sumOf([...rates.values()], rate => rate);
  return new Map([...rates].map(([key, rate]) => [key, rate / sum]));
}

const sumOf = <Item>(items: readonly Item[], of: (item: Item) => number): number =>
  items.reduce((sum, item) => sum + of(item), 0);
