import type { AccountEvent, SettlementEvent } from '@astro/messages/billing';
import { ledgerAccountIn, platformBurned } from '@astro/messages/ledger-accounts';

/** What the charges moved; where the money went afterwards changes nothing of it. */
export type Charges = {
  readonly chargedAtto: bigint;
  /** The whole fee, with its burned share. */
  readonly feeAtto: bigint;
  readonly burnedAtto: bigint;
  /** What each operator earned. */
  readonly earned: ReadonlyMap<string, bigint>;
};

export function chargesIn(events: readonly AccountEvent[]): Charges {
  let [chargedAtto, feeAtto, burnedAtto] = [0n, 0n, 0n];
  const earned = new Map<string, bigint>();
  for (const { type, data } of events) {
    if (type !== 'TaskCharged') continue;
    for (const { account, amountAtto } of data.postings) {
      const of = ledgerAccountIn(account);
      if (of?.owner === 'tenant') chargedAtto -= amountAtto;
      if (of?.owner === 'platform') feeAtto += amountAtto;
      if (of?.owner === 'operator') earned.set(of.id, (earned.get(of.id) ?? 0n) + amountAtto);
      if (account === platformBurned) burnedAtto += amountAtto;
    }
  }
  return { chargedAtto, feeAtto, burnedAtto, earned };
}

/** What of the charges the chain has settled for good, and what of that was claimed. */
export type Settled = {
  /** What settled each batch, oldest first. */
  readonly transactions: readonly string[];
  readonly settledAtto: bigint;
  readonly burnedAtto: bigint;
  readonly toTreasuryAtto: bigint;
  readonly claims: readonly { readonly operatorId: string; readonly transactionHash: string }[];
  readonly claimedAtto: bigint;
};

export function settledIn(events: readonly SettlementEvent[]): Settled {
  const of = <Type extends SettlementEvent['type']>(type: Type) =>
    events.filter((event): event is Extract<SettlementEvent, { type: Type }> => event.type === type);
  const transactions = new Map(
    of('BatchSettled').map(({ data }) => [data.batchId, data.transactionHash] as const),
  );
  const batches = of('BatchSealed').flatMap(({ data }) => (transactions.has(data.batchId) ? [data] : []));
  const claims = of('PayoutClaimed').map(({ data }) => data);
  return {
    transactions: [...transactions.values()],
    settledAtto: sum(
      batches.map(({ netAtto, burnedAtto, toTreasuryAtto }) => netAtto + burnedAtto + toTreasuryAtto),
    ),
    burnedAtto: sum(batches.map(({ burnedAtto }) => burnedAtto)),
    toTreasuryAtto: sum(batches.map(({ toTreasuryAtto }) => toTreasuryAtto)),
    claims: claims.map(({ operatorId, transactionHash }) => ({ operatorId, transactionHash })),
    claimedAtto: sum(claims.map(({ amountAtto }) => amountAtto)),
  };
}

export const sum = (amounts: readonly bigint[]): bigint =>
  amounts.reduce((total, amount) => total + amount, 0n);
