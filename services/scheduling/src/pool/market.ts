import type { Placement } from '@astro/matching/engine/engine';
import { lockPrice } from '@astro/matching/market/locked-price';
import { nextPostedPrice, priceAtUse, type PriceCurve } from '@astro/matching/market/posted-price';
import type { JobSpec, LeasesGranted, MarketPrice } from '@astro/messages/scheduling';
import { askCapAtto, leasePriceAtto, NO_SURGE } from './needs.js';
import { kindOf, pricedKinds, type PoolUse, type PricedKind } from './pool-use.js';

/** Grows with any change of what follows: a recorded price is explained by the rules of its version. */
export const MARKET_VERSION = 2;

/** Of the posted price, in thousandths of the node's own: that itself up to half of the kind, three times it at all. */
export const surgeCurve: PriceCurve = {
  floorAtto: BigInt(NO_SURGE),
  ceilingAtto: 3_000n,
  kneePermille: 500,
  stepMaxPermille: 250,
};
/** The posted price may move by one step at the end of each such period, counted from the epoch. */
export const PRICE_PERIOD_MS = 10_000;
/** From one end of the curve to the other are fewer. */
const STEPS_MAX = 16;

/** Of the posted price, in thousandths: what the first claim on capacity costs. */
const RESERVED_PERMILLE = 1_250;

/** What was last recorded of the posted prices. */
export type PostedPrices = { readonly at: Date; readonly surges: ReadonlyMap<PricedKind, number> };
type Market = { readonly posted: PostedPrices | undefined; readonly use: PoolUse };

export const isInterruptible = ({ leaseClass }: JobSpec): boolean => leaseClass === 'interruptible';

/**
 * The posted price of a kind, in thousandths of each node's own: from the last that was recorded towards what the
 * use of the kind is worth, by a step for each period that has ended since. Only recorded facts and the time decide.
 */
export function surgeOf({ posted, use }: Market, kind: PricedKind, now: Date): number {
  let surge = BigInt(posted?.surges.get(kind) ?? NO_SURGE);
  // Of what there is nothing there is no price: it begins at the node's own when the first comes.
  if (!posted || use.of(kind).totalMillis === 0) return NO_SURGE;
  const steps = Math.min(STEPS_MAX, periodOf(now) - periodOf(posted.at));
  for (let step = 0; step < steps; step += 1) surge = nextPostedPrice(surgeCurve, surge, use.of(kind));
  return Number(surge);
}

const periodOf = (at: Date) => Math.floor(at.getTime() / PRICE_PERIOD_MS);

/**
 * What a lease of the job costs over the node's own price, in thousandths. For an interruptible one that is the
 * least it may cost: what is more, an auction decides.
 */
export function priceFactorOf(market: Market, spec: JobSpec, now: Date): number {
  return factorFor(spec, isInterruptible(spec) ? NO_SURGE : surgeOf(market, kindOf(spec), now));
}

/** The same while nothing is used: what decides whether a job could ever be served. */
export const idlePriceFactorOf = (spec: JobSpec): number => factorFor(spec, NO_SURGE);

const factorFor = ({ leaseClass }: JobSpec, surgePermille: number): number =>
  leaseClass === 'reserved' ? Math.ceil((surgePermille * RESERVED_PERMILLE) / 1_000) : surgePermille;

/** The posted prices of all kinds, and what the auctions of the tick cleared at. */
export const pricesAt = (
  market: Market,
  now: Date,
  clearings: ReadonlyMap<PricedKind, bigint>,
): readonly MarketPrice[] =>
  pricedKinds.map(deviceKind => {
    const clearingPriceAtto = clearings.get(deviceKind);
    const surgeThousandths = surgeOf(market, deviceKind, now);
    return {
      deviceKind,
      surgeThousandths,
      ...(clearingPriceAtto !== undefined && { clearingPriceAtto }),
    };
  });

/** The posted prices that a tick recorded; those of before where it was recorded without. */
export function postedBy({ prices, decidedAt }: LeasesGranted, before: PostedPrices | undefined) {
  if (prices.length === 0 || !decidedAt) return before;
  const surges = new Map<PricedKind, number>();
  for (const { deviceKind, surgeThousandths } of prices)
    if (deviceKind !== 'unspecified') surges.set(deviceKind, surgeThousandths);
  return { at: decidedAt, surges };
}

/** When a price next falls by time alone, which may let in what waits; nothing while none does. */
export function pricesFallAt(market: Market, now: Date): Date | undefined {
  const falls = pricedKinds.some(
    kind => BigInt(surgeOf(market, kind, now)) > priceAtUse(surgeCurve, market.use.of(kind)),
  );
  return falls ? new Date((periodOf(now) + 1) * PRICE_PERIOD_MS) : undefined;
}

/** The most that the job pays for a device and second. */
export const bidAtto = (spec: JobSpec): bigint => askCapAtto(spec, NO_SURGE);

/**
 * What a lease costs that was sold by auction: the clearing price, but no less than the node asks for it, and no more
 * than it would cost there on demand.
 */
export function auctionedPriceAtto(
  spec: JobSpec,
  { clearingAtto, placed, surgePermille }: AuctionedPlace,
): bigint {
  const askAtto = placed.interruptiblePriceAtto;
  const onDemandAtto = (placed.priceAtto * BigInt(surgePermille)) / BigInt(NO_SURGE);
  const marketAtto = clearingAtto < onDemandAtto ? clearingAtto : onDemandAtto;
  const capAtto = bidAtto(spec);
  const locked = lockPrice({ capacityClass: 'interruptible', marketAtto, askAtto, capAtto });
  if (locked === 'PriceIsAboveCap') throw new Error(`${marketAtto} was cleared above a bid of ${capAtto}`);
  return leasePriceAtto(spec, locked.perDeviceSecondAtto, NO_SURGE);
}

type AuctionedPlace = {
  readonly clearingAtto: bigint;
  readonly placed: Pick<Placement, 'priceAtto' | 'interruptiblePriceAtto'>;
  readonly surgePermille: number;
};
