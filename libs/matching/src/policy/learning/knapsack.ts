/** A unit is packed in hundredths: the published requests are multiples of that. */
export const packSteps = 100;

/** Rounded up, so that a pack never holds more than its unit. */
export const stepsOf = (shareThousandths: number): number => Math.ceil((shareThousandths * packSteps) / 1000);

/** `steps` are at least 1. */
export type Item = { readonly steps: number; readonly worth: number };

/**
 * What the best pack of any number of copies of the items is worth, for each free part of a unit.
 *
 * @param into is overwritten; its entries 0 to `packSteps` are the worth of that many free steps
 */
export function packWorth(items: readonly Item[], into: Float64Array): void {
  const useful = items.filter(({ worth }) => worth > 0);
  into[0] = 0;
  for (let free = 1; free <= packSteps; free++) {
    let best = into[free - 1]!;
    for (const { steps, worth } of useful) {
      if (steps > free) continue;
      const total = into[free - steps]! + worth;
      if (total > best) best = total;
    }
    into[free] = best;
  }
}

export type Pack = {
  readonly worth: number;
  /** How many copies, by the item's position. */
  readonly copies: ReadonlyMap<number, number>;
};

const worths = new Float64Array(packSteps + 1);

/** The best pack of a whole unit. */
export function bestPack(items: readonly Item[]): Pack {
  packWorth(items, worths);
  const copies = new Map<number, number>();
  let free = packSteps;
  while (free > 0) {
    if (worths[free] === worths[free - 1]) {
      free -= 1;
      continue;
    }
    const position = items.findIndex(
      ({ steps, worth }) => worth > 0 && steps <= free && worths[free] === worths[free - steps]! + worth,
    );
    copies.set(position, (copies.get(position) ?? 0) + 1);
    free -= items[position]!.steps;
  }
  return { worth: worths[packSteps]!, copies };
}
