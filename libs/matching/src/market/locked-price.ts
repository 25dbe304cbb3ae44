export type CapacityClass = 'onDemand' | 'interruptible' | 'reserved';

/** What the market asks at the moment of a grant, per device-second in base units. */
export type PriceOffer = {
  readonly capacityClass: CapacityClass;
  /** The posted price for `onDemand`, the clearing price for `interruptible`, the agreed one for `reserved`. */
  readonly marketAtto: bigint;
  /** The node's operator gives nothing for less. */
  readonly askAtto: bigint;
  /** The client pays no more. */
  readonly capAtto: bigint;
};

/** The price of one lease, fixed at its grant: what the market does afterwards changes nothing. */
export type LockedPrice = {
  readonly capacityClass: CapacityClass;
  readonly perDeviceSecondAtto: bigint;
};

export type PriceRefusal = 'PriceIsAboveCap';

/** The higher of what the market and the operator ask, if the client's cap allows it. */
export function lockPrice({
  capacityClass,
  marketAtto,
  askAtto,
  capAtto,
}: PriceOffer): LockedPrice | PriceRefusal {
  const perDeviceSecondAtto = marketAtto > askAtto ? marketAtto : askAtto;
  return perDeviceSecondAtto > capAtto ? 'PriceIsAboveCap' : { capacityClass, perDeviceSecondAtto };
}

const MILLIS_PER_DEVICE = 1_000n;
const MS_PER_SECOND = 1_000n;

/** The charge for a use, rounded up to a base unit: rounding never costs the operator. */
export function chargeAtto(
  { perDeviceSecondAtto }: LockedPrice,
  { deviceMillis, usedMs }: { readonly deviceMillis: number; readonly usedMs: number },
): bigint {
  for (const [name, value] of Object.entries({ deviceMillis, usedMs })) {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new RangeError(`${name}: a whole number, zero or more, not ${value}`);
    }
  }
  const product = perDeviceSecondAtto * BigInt(deviceMillis) * BigInt(usedMs);
  const divisor = MILLIS_PER_DEVICE * MS_PER_SECOND;
  return (product + divisor - 1n) / divisor;
}
