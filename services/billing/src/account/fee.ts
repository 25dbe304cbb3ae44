/** What a charge is made with, in hundredths of a percent. */
export type FeeTerms = {
  /** The platform's part of a charge. */
  readonly feeBps: number;
  /** The part of the fee that is burned. */
  readonly burnBps: number;
  /** The part of the fee that validators have; none unless told. */
  readonly validatorBps?: number;
};

/** Where a fee goes, in base units: the three add up to it. */
export type FeeParts = {
  readonly burnedAtto: bigint;
  readonly toValidatorsAtto: bigint;
  readonly toTreasuryAtto: bigint;
};

const WHOLE_BPS = 10_000;
/** Bounds of the fee that the protocol's parameters may set: 1 to 5 per cent. */
const MIN_FEE_BPS = 100;
const MAX_FEE_BPS = 500;

/** Whether the protocol allows it: above all, that nobody has more than the whole of the fee. */
export const isFee = ({ feeBps, burnBps, validatorBps = 0 }: FeeTerms): boolean =>
  within(feeBps, MIN_FEE_BPS, MAX_FEE_BPS) &&
  within(burnBps, 0, WHOLE_BPS) &&
  within(validatorBps, 0, WHOLE_BPS - burnBps);

const within = (value: number, least: number, most: number) =>
  Number.isInteger(value) && value >= least && value <= most;

/** What is wrong with a fee that is none. */
export function feeFlaw({ feeBps, burnBps, validatorBps }: FeeTerms): string {
  const flaw = `feeBps: ${feeBps} of ${MIN_FEE_BPS}..${MAX_FEE_BPS}, burnBps: ${burnBps} of 0..${WHOLE_BPS}`;
  return validatorBps === undefined
    ? flaw
    : `${flaw}, validatorBps: ${validatorBps} of 0 to what burnBps leaves`;
}

/** These terms alone, as they are recorded: a share of nothing is not told. */
export const termsIn = ({ feeBps, burnBps, validatorBps }: FeeTerms): FeeTerms => ({
  ...{ feeBps, burnBps },
  ...(validatorBps && { validatorBps }),
});

export const isSameFee = (one: FeeTerms, other: FeeTerms): boolean =>
  one.feeBps === other.feeBps &&
  one.burnBps === other.burnBps &&
  (one.validatorBps ?? 0) === (other.validatorBps ?? 0);

/** Rounded down, as `Escrow.settle` does. */
export const feeOn = (grossAtto: bigint, { feeBps }: FeeTerms): bigint => partOf(grossAtto, feeBps);

/**
 * What is burned and what validators have are rounded down, and the treasury has the rest, as in `Escrow.settle`: so
 * that no base unit is lost.
 */
export function partsOfFee(feeAtto: bigint, { burnBps, validatorBps = 0 }: FeeTerms): FeeParts {
  const burnedAtto = partOf(feeAtto, burnBps);
  const toValidatorsAtto = partOf(feeAtto, validatorBps);
  return { burnedAtto, toValidatorsAtto, toTreasuryAtto: feeAtto - burnedAtto - toValidatorsAtto };
}

const partOf = (amountAtto: bigint, bps: number): bigint => (amountAtto * BigInt(bps)) / BigInt(WHOLE_BPS);
