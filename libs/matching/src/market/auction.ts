/** A sealed bid for interruptible capacity of one class of devices. */
export type Bid = {
  readonly bidId: string;
  /** How much is wanted, in thousandths of a device; all of it or nothing. */
  readonly millis: number;
  /** The most that is paid for a device-second, in base units. */
  readonly limitAtto: bigint;
  /** Of equal limits the lower goes first: the order in which bids came. */
  readonly sequence: number;
};

export type Supply = {
  readonly millis: number;
  /** Nothing is given for less. */
  readonly reserveAtto: bigint;
};

/** `tooLarge`: less was left than it wants, and it wants all or nothing. */
export type BidOutcome = 'won' | 'outbid' | 'tooLarge' | 'belowReserve';

export type Clearing = {
  /** One price for all that won. */
  readonly priceAtto: bigint;
  readonly soldMillis: number;
  readonly outcomes: ReadonlyMap<string, BidOutcome>;
};

export const BIDS_MAX = 100_000;

/**
 * A sealed-bid auction at one clearing price. Supply goes to the highest limits; of equal ones to the earlier
 * bid, then by id. Everybody who won pays the highest limit that lost and is not above the lowest that won,
 * or the reserve price where nobody lost; so no one pays above a bid, and a bid for a single unit gains
 * nothing by not being honest (Vickrey 1961). A bid that wants more than is left does not hold up the rest.
 */
export function clearAuction(bids: readonly Bid[], { millis, reserveAtto }: Supply): Clearing {
  if (bids.length > BIDS_MAX) throw new RangeError(`bids: at most ${BIDS_MAX}, not ${bids.length}`);
  if (!Number.isSafeInteger(millis) || millis < 0) {
    throw new RangeError(`millis: a whole number, zero or more, not ${millis}`);
  }
  const outcomes = new Map<string, BidOutcome>();
  let leftMillis = millis;
  let lowestWonAtto: bigint | undefined;
  for (const bid of [...bids].sort(precedence)) {
    check(bid, outcomes);
    const outcome = judge(bid, leftMillis, reserveAtto);
    outcomes.set(bid.bidId, outcome);
    if (outcome !== 'won') continue;
    leftMillis -= bid.millis;
    lowestWonAtto = bid.limitAtto;
  }
  const priceAtto = clearingPrice(bids, outcomes, lowestWonAtto ?? reserveAtto, reserveAtto);
  return { priceAtto, soldMillis: millis - leftMillis, outcomes };
}

function judge({ millis, limitAtto }: Bid, leftMillis: number, reserveAtto: bigint): BidOutcome {
  if (limitAtto < reserveAtto) return 'belowReserve';
  if (leftMillis === 0) return 'outbid';
  return millis <= leftMillis ? 'won' : 'tooLarge';
}

function clearingPrice(
  bids: readonly Bid[],
  outcomes: ReadonlyMap<string, BidOutcome>,
  lowestWonAtto: bigint,
  reserveAtto: bigint,
): bigint {
  let priceAtto = reserveAtto;
  for (const { bidId, limitAtto } of bids) {
    if (outcomes.get(bidId) === 'won' || limitAtto > lowestWonAtto) continue;
    if (limitAtto > priceAtto) priceAtto = limitAtto;
  }
  return priceAtto;
}

function check({ bidId, millis, limitAtto }: Bid, seen: ReadonlyMap<string, BidOutcome>): void {
  if (seen.has(bidId)) throw new RangeError(`bidId: ${bidId} bids twice`);
  if (!Number.isSafeInteger(millis) || millis < 1) {
    throw new RangeError(`millis: a whole number above zero, not ${millis}`);
  }
  if (limitAtto < 0n) throw new RangeError(`limitAtto: zero or more, not ${limitAtto}`);
}

const precedence = (a: Bid, b: Bid) =>
  a.limitAtto !== b.limitAtto
    ? a.limitAtto > b.limitAtto
      ? -1
      : 1
    : a.sequence - b.sequence || (a.bidId < b.bidId ? -1 : 1);
