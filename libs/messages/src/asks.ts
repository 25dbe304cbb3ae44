import type { Offer } from './gen/registry.js';

/** What an operator wants for a node, for each device and second, in base units. */
export type Asks = Pick<Offer, 'pricePerSecondAtto' | 'interruptiblePricePerSecondAtto'>;

/** In thousandths: what a lease is worth that may end at any time, where its operator says nothing else. */
const INTERRUPTIBLE_SHARE_PERMILLE = 500n;

/** The least that interruptible work pays; never more than work on demand, and rounded up. */
export function interruptibleAskAtto({ pricePerSecondAtto, interruptiblePricePerSecondAtto }: Asks): bigint {
  const usual = (pricePerSecondAtto * INTERRUPTIBLE_SHARE_PERMILLE + 999n) / 1_000n;
  const asked = interruptiblePricePerSecondAtto ?? usual;
  return asked < pricePerSecondAtto ? asked : pricePerSecondAtto;
}
