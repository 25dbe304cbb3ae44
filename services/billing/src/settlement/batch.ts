import { derivedId } from '@astro/event-sourcing/ids';
import { bytes32Of } from '@astro/chain/payouts/ids';
import { PayoutTree } from '@astro/chain/payouts/tree';
import type { BatchPayout, BatchSealed, Posting, Share } from '@astro/messages/billing';
import { operatorAccount, platformBurned, platformFees } from '@astro/messages/ledger-accounts';

const BPS = 10_000n;

/** `Escrow.MAX_DEBITS`. */
export const MAX_TENANTS = 500;
/** So that a sealed batch, with two postings for each, fits into one event. */
export const MAX_PAYOUTS = 10_000;

export type Wallets = ReadonlyMap<string, string>;
export type FeeTerms = { readonly feeBps: number; readonly burnBps: number };
export type Totals = {
  readonly netAtto: bigint;
  readonly burnedAtto: bigint;
  readonly toTreasuryAtto: bigint;
};
export type Content = Totals & Pick<BatchSealed, 'debits' | 'payouts' | 'postings' | 'root'>;

/** What the tenant was charged for it. */
export const grossOf = ({ netAtto, feeAtto }: Pick<Share, 'netAtto' | 'feeAtto'>): bigint =>
  netAtto + feeAtto;

/** The part of the gross that Escrow keeps, as `Escrow.settle` computes it. */
export function feeOn(grossAtto: bigint, { feeBps, burnBps }: FeeTerms) {
  const feeAtto = (grossAtto * BigInt(feeBps)) / BPS;
  const burnedAtto = (feeAtto * BigInt(burnBps)) / BPS;
  return { feeAtto, burnedAtto, toTreasuryAtto: feeAtto - burnedAtto };
}

export const batchIdOf = (chainId: number, number: number): string => derivedId('batch', chainId, number);

/**
 * What a batch of these shares pays. The contract rounds the fee on the whole batch, where each charge
 * rounded its own: so each operator, in the order of their addresses, bears the part of the batch's fee by
 * which its running total grows with them. The parts sum to the batch's fee exactly, and what they differ
 * from the fees of the charges, at most a base unit for each charge and one for each operator, moves between
 * the operator and the fees.
 * @param shares all with a wallet on both sides, and charged by `terms`; at least one
 */
export function contentOf(
  batchId: string,
  shares: readonly Share[],
  terms: FeeTerms,
  wallets: Wallets,
): Content {
  const debits = byAddress(shares, 'tenantId', wallets).map(({ id: tenantId, address, of }) => ({
    ...{ tenantId, address },
    amountAtto: sum(of.map(grossOf)),
  }));
  const postings: Posting[] = [];
  const payouts: BatchPayout[] = [];
  let grossAtto = 0n;
  for (const { id: operatorId, address, of } of byAddress(shares, 'operatorId', wallets)) {
    const before = feeOn(grossAtto, terms).feeAtto;
    const ownAtto = sum(of.map(grossOf));
    grossAtto += ownAtto;
    const amountAtto = ownAtto - (feeOn(grossAtto, terms).feeAtto - before);
    postings.push({
      account: operatorAccount(operatorId, 'earned'),
      amountAtto: -sum(of.map(({ netAtto }) => netAtto)),
    });
    if (amountAtto === 0n) continue;
    postings.push({ account: operatorAccount(operatorId, 'settling'), amountAtto });
    payouts.push({ operatorId, address, amountAtto });
  }
  const { feeAtto, burnedAtto, toTreasuryAtto } = feeOn(grossAtto, terms);
  const charged = {
    fee: sum(shares.map(share => share.feeAtto)),
    burned: sum(shares.map(share => share.burnedAtto)),
  };
  postings.push({ account: platformFees, amountAtto: toTreasuryAtto - (charged.fee - charged.burned) });
  postings.push({ account: platformBurned, amountAtto: burnedAtto - charged.burned });
  const root = new PayoutTree(claimsOf(batchId, payouts)).root;
  const moved = postings.filter(({ amountAtto }) => amountAtto !== 0n);
  const totals = { netAtto: grossAtto - feeAtto, burnedAtto, toTreasuryAtto };
  return { debits, payouts, postings: moved, root, ...totals };
}

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
