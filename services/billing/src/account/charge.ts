import { bytesMoved, costAtto, transferAtto } from '@astro/matching/cost';
import type { ChargedResult, ChargeTask } from '@astro/messages/billing';
import type { Transferred } from '@astro/messages/scheduling';
import { operatorAccount, platformBurned, platformFees } from '@astro/messages/ledger-accounts';
import type { Part } from './postings.js';

const BPS = 10_000n;
/** Bounds of the fee that the protocol's parameters may set: 1 to 5 per cent. */
const MIN_FEE_BPS = 100;
const MAX_FEE_BPS = 500;
/** `metered_ms` of the charge is a uint32. */
const MAX_METERED_MS = 0xffff_ffff;
/** Of one direction, so that `transferred_bytes` of the charge stays a number that is exact. */
const MAX_BYTES = 2 ** 52 - 1;

export type Charge = {
  readonly grossAtto: bigint;
  readonly meteredMs: number;
  readonly results: readonly ChargedResult[];
  readonly parts: readonly Part[];
};

export const isFee = (feeBps: number, burnBps: number): boolean =>
  within(feeBps, MIN_FEE_BPS, MAX_FEE_BPS) && within(burnBps, 0, Number(BPS));

const within = (value: number, least: number, most: number) =>
  Number.isInteger(value) && value >= least && value <= most;

/** Why this work cannot be charged for; undefined when it can. */
export function workProblem(work: ChargeTask['work']): string | undefined {
  if (work.length === 0) return 'work: holds no result';
  if (new Set(work.map(result => result.leaseId)).size < work.length) return 'work: holds a lease twice';
  const negative = work.find(
    ({ pricePerSecondAtto, pricePerGibTransferredAtto = 0n }) =>
      pricePerSecondAtto < 0n || pricePerGibTransferredAtto < 0n,
  );
  if (negative) return `work: the price of lease ${negative.leaseId} is negative`;
  const unmoved = work.find(({ transferred }) => transferred && !isMoved(transferred));
  if (unmoved) return `work: what lease ${unmoved.leaseId} moved is no number of bytes`;
  const meteredMs = work.reduce((sum, result) => sum + result.meteredMs, 0);
  return meteredMs > MAX_METERED_MS ? `work: ${meteredMs} ms are more than ${MAX_METERED_MS}` : undefined;
}

const isMoved = ({ fetchedBytes, uploadedBytes }: Transferred): boolean =>
  within(fetchedBytes, 0, MAX_BYTES) && within(uploadedBytes, 0, MAX_BYTES);

/**
 * What verified work costs and who receives it. The tenant pays each result's metered time and what was moved for it,
 * each rounded up to a base unit.
 */
export function chargeFor({ work, ...fees }: Pick<ChargeTask, 'work' | 'feeBps' | 'burnBps'>): Charge {
  const results = work.map(chargedResult);
  const earned = results.map(({ operatorId, timeAtto, transferAtto }) => ({
    operatorId,
    grossAtto: timeAtto + transferAtto,
  }));
  const meteredMs = work.reduce((sum, result) => sum + result.meteredMs, 0);
  return { results, meteredMs, ...splitFee(earned, fees) };
}

function chargedResult(result: ChargeTask['work'][number]): ChargedResult {
  const { leaseId, operatorId, meteredMs, pricePerSecondAtto, pricePerGibTransferredAtto = 0n } = result;
  const transferredBytes = bytesMoved(result);
  return {
    ...{ leaseId, operatorId, meteredMs, pricePerSecondAtto, transferredBytes, pricePerGibTransferredAtto },
    timeAtto: costAtto(meteredMs, pricePerSecondAtto),
    transferAtto: transferAtto(transferredBytes, pricePerGibTransferredAtto),
  };
}

type Fees = Pick<ChargeTask, 'feeBps' | 'burnBps'>;
type Earned = { readonly operatorId: string; readonly grossAtto: bigint };

/**
 * The fee is rounded down on the whole charge. Each operator bears the part of the fee by which the running total of
 * the fee grows with what is paid to it, so that the shares sum to the fee exactly and none exceeds its gross.
 */
export function splitFee(
  earned: readonly Earned[],
  { feeBps, burnBps }: Fees,
): Pick<Charge, 'grossAtto' | 'parts'> {
  const feeOn = (amountAtto: bigint) => (amountAtto * BigInt(feeBps)) / BPS;
  const parts: Part[] = [];
  let grossAtto = 0n;
  for (const { operatorId, grossAtto: ownAtto } of earned) {
    const shareOfFeeAtto = feeOn(grossAtto + ownAtto) - feeOn(grossAtto);
    parts.push({ to: operatorAccount(operatorId, 'earned'), amountAtto: ownAtto - shareOfFeeAtto });
    grossAtto += ownAtto;
  }
  const feeAtto = feeOn(grossAtto);
  const burnedAtto = (feeAtto * BigInt(burnBps)) / BPS;
  parts.push({ to: platformFees, amountAtto: feeAtto - burnedAtto });
  parts.push({ to: platformBurned, amountAtto: burnedAtto });
  return { grossAtto, parts };
}
