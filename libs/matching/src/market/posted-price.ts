/** The price curve of one class of devices, per device-second in base units (1 ASTRO = 10^18). */
export type PriceCurve = {
  /** While the class is used no more than up to the knee. */
  readonly floorAtto: bigint;
  /** When all of it is used. */
  readonly ceilingAtto: bigint;
  /** The share of the class, in thousandths, above which the price begins to rise; 0 to 999. */
  readonly kneePermille: number;
  /** A posted price moves by at most this share of itself in one step, in thousandths; 1 to 1000. */
  readonly stepMaxPermille: number;
};

/** How much of a class is used, in thousandths of a device. */
export type ClassUse = { readonly usedMillis: number; readonly totalMillis: number };

const PERMILLE = 1_000n;

/** The rule that the curve breaks, with the field's name first; nothing when it is sound. */
export function curveFault(curve: PriceCurve): string | undefined {
  const { floorAtto, ceilingAtto, kneePermille, stepMaxPermille } = curve;
  if (floorAtto < 0n) return 'floorAtto: zero or more';
  if (ceilingAtto < floorAtto) return 'ceilingAtto: not below floorAtto';
  if (!isWhole(kneePermille, 0, 999)) return 'kneePermille: a whole number from 0 to 999';
  if (!isWhole(stepMaxPermille, 1, 1_000)) return 'stepMaxPermille: a whole number from 1 to 1000';
  return undefined;
}

/**
 * What the use of a class is worth: the floor up to the knee, from there the square of what is used of the
 * rest, up to the ceiling. So it is cheap to fill a class and dear to take the last of it. Exact: whole
 * numbers only, rounded down; never falls when use rises. A class without devices is at its ceiling.
 */
export function priceAtUse(curve: PriceCurve, { usedMillis, totalMillis }: ClassUse): bigint {
  if (!isWhole(totalMillis, 0, Number.MAX_SAFE_INTEGER)) {
    throw new RangeError(`totalMillis: a whole number, zero or more, not ${totalMillis}`);
  }
  if (!isWhole(usedMillis, 0, Number.MAX_SAFE_INTEGER)) {
    throw new RangeError(`usedMillis: a whole number, zero or more, not ${usedMillis}`);
  }
  const { floorAtto, ceilingAtto, kneePermille } = curve;
  // More can be used than there is: leases outlive a node that shrank its offer.
  if (usedMillis >= totalMillis) return ceilingAtto;
  const knee = BigInt(kneePermille);
  const total = BigInt(totalMillis);
  const above = BigInt(usedMillis) * PERMILLE - knee * total;
  if (above <= 0n) return floorAtto;
  const span = (PERMILLE - knee) * total;
  return floorAtto + ((ceilingAtto - floorAtto) * above * above) / (span * span);
}

/**
 * The next posted price: towards what the use is worth, by no more than a step, so that nobody meets another
 * price than the one just read by much. Always between floor and ceiling, whatever was posted before; it
 * reaches its goal in the end, however small the prices.
 */
export function nextPostedPrice(curve: PriceCurve, postedAtto: bigint, use: ClassUse): bigint {
  const goalAtto = priceAtUse(curve, use);
  const stepAtto = (postedAtto * BigInt(curve.stepMaxPermille)) / PERMILLE;
  const leastStepAtto = stepAtto > 0n ? stepAtto : 1n;
  const low = postedAtto - leastStepAtto;
  const high = postedAtto + leastStepAtto;
  const moved = goalAtto < low ? low : goalAtto > high ? high : goalAtto;
  return moved < curve.floorAtto ? curve.floorAtto : moved > curve.ceilingAtto ? curve.ceilingAtto : moved;
}

const isWhole = (value: number, min: number, max: number) =>
  Number.isSafeInteger(value) && value >= min && value <= max;
