import type { ChargedWork, ChargeTask } from '@astro/messages/billing';
import { operatorAccount, platformBurned, platformFees } from '@astro/messages/ledger-accounts';
import type { Part } from './postings.js';

const MS_PER_SECOND = 1_000n;
const BPS = 10_000n;
/** Bounds of the fee that the protocol's parameters may set: 1 to 5 per cent. */
const MIN_FEE_BPS = 100;
const MAX_FEE_BPS = 500;
/** `metered_ms` of the charge is a uint32. */
const MAX_METERED_MS = 0xffff_ffff;

export type Charge = {
  readonly grossAtto: bigint;
  readonly meteredMs: number;
  readonly parts: readonly Part[];
  /** What each result has of it. */
  readonly work: readonly ChargedWork[];
};

export const isFee = (feeBps: number, burnBps: number): boolean =>
  within(feeBps, MIN_FEE_BPS, MAX_FEE_BPS) && within(burnBps, 0, Number(BPS));

const within = (value: number, least: number, most: number) =>
  Number.isInteger(value) && value >= least && value <= most;

/** Why this work cannot be charged for; undefined when it can. */
export function workProblem(work: ChargeTask['work']): string | undefined {
  if (work.length === 0) return 'work: holds no result';
  if (new Set(work.map(result => result.leaseId)).size < work.length) return 'work: holds a lease twice';
  const negative = work.find(result => result.pricePerSecondAtto < 0n);
  if (negative) return `work: the price of lease ${negative.leaseId} is negative`;
  const meteredMs = work.reduce((sum, result) => sum + result.meteredMs, 0);
  return meteredMs > MAX_METERED_MS ? `work: ${meteredMs} ms are more than ${MAX_METERED_MS}` : undefined;
}

/**
 * What verified work costs and who receives it. The tenant pays each result's metered time rounded up to a base
 * unit; the fee is rounded down on the whole charge. Each result bears the part of the fee by which the running
 * total of the fee grows with it, so that the shares sum to the fee exactly and none exceeds its result's gross.
 */
export function chargeFor({
  work,
  feeBps,
  burnBps,
}: Pick<ChargeTask, 'work' | 'feeBps' | 'burnBps'>): Charge {
  const feeOn = (amountAtto: bigint) => (amountAtto * BigInt(feeBps)) / BPS;
  const parts: Part[] = [];
  const charged: ChargedWork[] = [];
  let grossAtto = 0n;
  for (const { leaseId, nodeId, operatorId, meteredMs, pricePerSecondAtto } of work) {
    const resultAtto = (BigInt(meteredMs) * pricePerSecondAtto + MS_PER_SECOND - 1n) / MS_PER_SECOND;
    const shareOfFeeAtto = feeOn(grossAtto + resultAtto) - feeOn(grossAtto);
    parts.push({ to: operatorAccount(operatorId, 'earned'), amountAtto: resultAtto - shareOfFeeAtto });
    charged.push({
      ...{ leaseId, nodeId, operatorId, meteredMs, pricePerSecondAtto },
      ...{ grossAtto: resultAtto, feeAtto: shareOfFeeAtto },
    });
    grossAtto += resultAtto;
  }
  const feeAtto = feeOn(grossAtto);
  const burnedAtto = (feeAtto * BigInt(burnBps)) / BPS;
  parts.push({ to: platformFees, amountAtto: feeAtto - burnedAtto });
  parts.push({ to: platformBurned, amountAtto: burnedAtto });
  const meteredMs = work.reduce((sum, result) => sum + result.meteredMs, 0);
  return { grossAtto, meteredMs, parts, work: charged };
}
