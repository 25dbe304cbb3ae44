import type { Random } from '../../engine/random.js';

const resolution = 2 ** 30;

/** A number in [0, 1). */
export const uniform = (random: Random): number => random.below(resolution) / resolution;

/** In place, by Fisher and Yates. */
export function shuffle<Item>(items: Item[], random: Random): Item[] {
  for (let last = items.length - 1; last > 0; last--) {
    const other = random.below(last + 1);
    const item = items[last]!;
    items[last] = items[other]!;
    items[other] = item;
  }
  return items;
}

/** Above this mean the normal approximation is used: its error is far below the spread itself. */
const smallMean = 60;

/** A draw of a Poisson variable: Knuth's product for small means. */
export function poisson(mean: number, random: Random): number {
  if (mean > smallMean) {
    const radius = Math.sqrt(-2 * Math.log(1 - uniform(random)));
    const normal = radius * Math.cos(2 * Math.PI * uniform(random));
    return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal));
  }
  const limit = Math.exp(-mean);
  let draws = -1;
  for (let product = 1; product > limit; product *= uniform(random)) draws += 1;
  return draws;
}

/** One number in each of `count` equal parts of [0, 1), in random order. */
export function stratified(count: number, random: Random): number[] {
  const parts = Array.from({ length: count }, (_, part) => (part + uniform(random)) / count);
  return shuffle(parts, random);
}
