/** A number in [0, 1) each time it is called. The same seed gives the same numbers on every machine. */
export type Random = () => number;

/** Mulberry32 by Tommy Ettinger (public domain): 32 bits of state are enough for shuffles and draws. */
export function seededRandom(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Fisher and Yates, in place. */
export function shuffle<T>(items: T[], random: Random): T[] {
  for (let last = items.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    const item = items[last]!;
    items[last] = items[other]!;
    items[other] = item;
  }
  return items;
}

/**
 * A draw of a Poisson variable. Knuth's product for small means; for large ones the normal approximation, whose
 * error is far below the spread itself.
 */
export function poisson(mean: number, random: Random): number {
  if (mean > 60) {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal));
  }
  const limit = Math.exp(-mean);
  let draws = -1;
  let product = 1;
  do {
    draws++;
    product *= random();
  } while (product > limit);
  return draws;
}
