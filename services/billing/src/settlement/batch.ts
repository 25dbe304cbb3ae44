import { derivedId } from '@astro/event-sourcing/ids';
import { bytes32Of } from '@astro/chain/payouts/ids';
import { PayoutTree } from '@astro/chain/payouts/tree';
import type { BatchPayout, BatchSealed, Posting, Share } from '@astro/messages/billing';
import {
  operatorAccount,
  platformBurned,
  platformFees,
  platformValidators,
} from '@astro/messages/ledger-accounts';
import { feeOn, partsOfFee, type FeeParts, type FeeTerms } from '../account/fee.js';

/** `Escrow.MAX_DEBITS`. */
export const MAX_TENANTS = 500;
/** So that a sealed batch, with two postings for each, fits into one event. */
export const MAX_PAYOUTS = 10_000;

export type Wallets = ReadonlyMap<string, string>;
export type Totals = Pick<BatchSealed, 'netAtto' | 'burnedAtto' | 'toTreasuryAtto' | 'toValidatorsAtto'>;
export type Content = Totals & Pick<BatchSealed, 'debits' | 'payouts' | 'postings'>;

/** What the tenant was charged for it. */
export const grossOf = ({ netAtto, feeAtto }: Pick<Share, 'netAtto' | 'feeAtto'>): bigint =>
  netAtto + feeAtto;

export const batchIdOf = (chainId: number, number: number): string => derivedId('batch', chainId, number);

/**
 * What a batch of these shares pays. The contract rounds the fee on the whole batch, where each charge
 * rounded its own: so each operator, in the order of their addresses, bears the part of the batch's fee by
 * which its running total grows with them. The parts sum to the batch's fee exactly, and what they differ
 * from the fees of the charges, at most a base unit for each charge and one for each operator, moves between
 * the operator and the fees.
 * @param shares all with a wallet on both sides, and charged by `terms`; at least one
 */
export function contentOf(shares: readonly Share[], terms: FeeTerms, wallets: Wallets): Content {
  const debits = byAddress(shares, 'tenantId', wallets).map(({ id: tenantId, address, of }) => ({
    ...{ tenantId, address },
    amountAtto: sum(of.map(grossOf)),
  }));
  const postings: Posting[] = [];
  const payouts: BatchPayout[] = [];
  let grossAtto = 0n;
  for (const { id: operatorId, address, of } of byAddress(shares, 'operatorId', wallets)) {
    const before = feeOn(grossAtto, terms);
    const ownAtto = sum(of.map(grossOf));
    grossAtto += ownAtto;
    const amountAtto = ownAtto - (feeOn(grossAtto, terms) - before);
    postings.push({
      account: operatorAccount(operatorId, 'earned'),
      amountAtto: -sum(of.map(({ netAtto }) => netAtto)),
    });
    if (amountAtto === 0n) continue;
    postings.push({ account: operatorAccount(operatorId, 'settling'), amountAtto });
    payouts.push({ operatorId, address, amountAtto });
  }
  const feeAtto = feeOn(grossAtto, terms);
  const parts = partsOfFee(feeAtto, terms);
  postings.push(...roundedAnew(parts, shares));
  const moved = postings.filter(({ amountAtto }) => amountAtto !== 0n);
  return { debits, payouts, postings: moved, ...totalsOf(grossAtto - feeAtto, parts) };
}

/** What the parts of the batch's fee differ from those of its charges' fees. */
function roundedAnew(parts: FeeParts, shares: readonly Share[]): readonly Posting[] {
  const charged = {
    fee: sum(shares.map(share => share.feeAtto)),
    burned: sum(shares.map(share => share.burnedAtto)),
    validators: sum(shares.map(share => share.validatorsAtto ?? 0n)),
  };
  const toTreasury = charged.fee - charged.burned - charged.validators;
  return [
    { account: platformFees, amountAtto: parts.toTreasuryAtto - toTreasury },
    { account: platformBurned, amountAtto: parts.burnedAtto - charged.burned },
    { account: platformValidators, amountAtto: parts.toValidatorsAtto - charged.validators },
  ];
}

/** What validators have is told where they have something. */
const totalsOf = (netAtto: bigint, { toValidatorsAtto, ...parts }: FeeParts): Totals => ({
  ...{ netAtto, ...parts },
  ...(toValidatorsAtto > 0n && { toValidatorsAtto }),
});

/** What proves each payout of a batch. */
export const treeOf = (batchId: string, payouts: readonly BatchPayout[]): PayoutTree =>
  new PayoutTree(claimsOf(batchId, payouts));

/** The payouts as the chain knows them. */
export const claimsOf = (batchId: string, payouts: readonly BatchPayout[]) =>
  payouts.map(({ address, amountAtto }, index) => ({
    ...{ list: bytes32Of(batchId), index, account: address, amount: amountAtto },
  }));

/** Shares of one owner together, in the order of their owners' addresses. */
function byAddress(shares: readonly Share[], owner: 'tenantId' | 'operatorId', wallets: Wallets) {
  const groups = new Map<string, Share[]>();
  for (const share of shares) {
    const group = groups.get(share[owner]);
    if (group) group.push(share);
    else groups.set(share[owner], [share]);
  }
  return [...groups]
    .map(([id, of]) => ({ id, of, address: wallets.get(id)! }))
    .sort((one, other) => (one.address < other.address ? -1 : 1));
}

const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((total, amount) => total + amount, 0n);
