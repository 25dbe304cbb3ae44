import { bytesMoved, transferAtto, usedAtto } from '@astro/matching/cost';
import type { ChargedWork, ChargeTask } from '@astro/messages/billing';
import type { Transferred } from '@astro/messages/scheduling';
import {
  operatorAccount,
  platformBurned,
  platformFees,
  platformValidators,
} from '@astro/messages/ledger-accounts';
import { feeOn, partsOfFee, type FeeTerms } from './fee.js';
import type { Part } from './postings.js';

/** `metered_ms` of the charge is a uint32. */
const MAX_METERED_MS = 0xffff_ffff;
/** Of one direction, so that `transferred_bytes` of the charge stays a number that is exact. */
const MAX_BYTES = 2 ** 52 - 1;

export type Charge = {
  readonly grossAtto: bigint;
  readonly meteredMs: number;
  readonly parts: readonly Part[];
  /** What each result has of it. */
  readonly work: readonly ChargedWork[];
};

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
  [fetchedBytes, uploadedBytes].every(bytes => Number.isInteger(bytes) && bytes >= 0 && bytes <= MAX_BYTES);

/**
 * What verified work costs and who receives it. The tenant pays each result's metered time and what was moved for it,
 * each rounded up to a base unit.
 */
export function chargeFor({ work, ...terms }: Pick<ChargeTask, 'work'> & FeeTerms): Charge {
  const earned = work.map(result => ({ operatorId: result.operatorId, ownAtto: usedAtto(result) }));
  const { grossAtto, feesAtto, parts } = splitFee(earned, terms);
  const charged = work.map((result, index) => {
    const { leaseId, nodeId, operatorId, meteredMs, pricePerSecondAtto } = result;
    return {
      ...{ leaseId, nodeId, operatorId, meteredMs, pricePerSecondAtto },
      ...{ grossAtto: earned[index]!.ownAtto, feeAtto: feesAtto[index]! },
      ...transferIn(result),
    };
  });
  const meteredMs = work.reduce((sum, result) => sum + result.meteredMs, 0);
  return { grossAtto, meteredMs, parts, work: charged };
}

/** Nothing where transfer is not metered. */
function transferIn(result: ChargeTask['work'][number]): Partial<ChargedWork> {
  const { transferred, pricePerGibTransferredAtto = 0n } = result;
  if (!transferred) return {};
  const transferredBytes = bytesMoved(result);
  const cost = transferAtto(transferredBytes, pricePerGibTransferredAtto);
  return { transferredBytes, pricePerGibTransferredAtto, transferAtto: cost };
}

type Earned = { readonly operatorId: string; readonly ownAtto: bigint };
type Split = Pick<Charge, 'grossAtto' | 'parts'> & { readonly feesAtto: readonly bigint[] };

/**
 * The fee is rounded down on the whole charge. Each operator bears the part of the fee by which the running total of
 * the fee grows with what is paid to it, so that the shares sum to the fee exactly and none exceeds its gross.
 */
export function splitFee(earned: readonly Earned[], terms: FeeTerms): Split {
  const parts: Part[] = [];
  const feesAtto: bigint[] = [];
  let grossAtto = 0n;
  for (const { operatorId, ownAtto } of earned) {
    const shareOfFeeAtto = feeOn(grossAtto + ownAtto, terms) - feeOn(grossAtto, terms);
    parts.push({ to: operatorAccount(operatorId, 'earned'), amountAtto: ownAtto - shareOfFeeAtto });
    feesAtto.push(shareOfFeeAtto);
    grossAtto += ownAtto;
  }
  const { burnedAtto, toValidatorsAtto, toTreasuryAtto } = partsOfFee(feeOn(grossAtto, terms), terms);
  parts.push({ to: platformFees, amountAtto: toTreasuryAtto });
  parts.push({ to: platformBurned, amountAtto: burnedAtto });
  parts.push({ to: platformValidators, amountAtto: toValidatorsAtto });
  return { grossAtto, feesAtto, parts };
}
