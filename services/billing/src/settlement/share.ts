import type { Share, TaskCharged } from '@astro/messages/billing';
import { ledgerAccountIn, platformBurned, platformFees } from '@astro/messages/ledger-accounts';

/** Whatever was charged, with the fee that it was charged with. */
type Charged = Pick<TaskCharged, 'tenantId' | 'feeBps' | 'burnBps' | 'postings'>;

/**
 * What each operator earned by one charge, with its part of the fee: in proportion to what it earned, by
 * running totals, so that the parts sum to the charge's fee, and what is burned of it, exactly.
 */
export function sharesOf({ tenantId, feeBps, burnBps, postings }: Charged): readonly Share[] {
  const earned: { readonly operatorId: string; readonly netAtto: bigint }[] = [];
  let feeAtto = 0n;
  let burnedAtto = 0n;
  for (const { account, amountAtto } of postings) {
    if (account === platformFees || account === platformBurned) feeAtto += amountAtto;
    if (account === platformBurned) burnedAtto += amountAtto;
    const owner = ledgerAccountIn(account);
    if (owner?.owner === 'operator') earned.push({ operatorId: owner.id, netAtto: amountAtto });
  }
  const allAtto = earned.reduce((sum, { netAtto }) => sum + netAtto, 0n);
  const partOf = (amountAtto: bigint, upToAtto: bigint) => (amountAtto * upToAtto) / allAtto;
  let upToAtto = 0n;
  return earned.map(({ operatorId, netAtto }) => {
    const before = upToAtto;
    upToAtto += netAtto;
    return {
      ...{ tenantId, operatorId, netAtto, feeBps, burnBps },
      feeAtto: partOf(feeAtto, upToAtto) - partOf(feeAtto, before),
      burnedAtto: partOf(burnedAtto, upToAtto) - partOf(burnedAtto, before),
    };
  });
}

/** Shares of the same two, charged by the same fee, are one share. */
export class Shares {
  readonly #byKey = new Map<string, Share>();
  readonly #tenants = new Set<string>();
  readonly #operators = new Set<string>();

  add(share: Share): void {
    const key = shareKey(share);
    const before = this.#byKey.get(key);
    this.#byKey.set(key, before ? together(before, share) : share);
    this.#tenants.add(share.tenantId);
    this.#operators.add(share.operatorId);
  }

  get all(): readonly Share[] {
    return [...this.#byKey.values()];
  }

  get size(): number {
    return this.#byKey.size;
  }

  /** How many there would be with these. */
  with(shares: readonly Share[]): {
    readonly tenants: number;
    readonly operators: number;
    readonly size: number;
  } {
    const added = (known: ReadonlySet<string>, ids: readonly string[]) =>
      known.size + new Set(ids.filter(id => !known.has(id))).size;
    return {
      tenants: added(
        this.#tenants,
        shares.map(({ tenantId }) => tenantId),
      ),
      operators: added(
        this.#operators,
        shares.map(({ operatorId }) => operatorId),
      ),
      size: this.#byKey.size + new Set(shares.map(shareKey).filter(key => !this.#byKey.has(key))).size,
    };
  }
}

export const shareKey = ({ tenantId, operatorId, feeBps, burnBps }: Share): string =>
  `${operatorId} ${tenantId} ${feeBps} ${burnBps}`;

/** Both are of the same two, charged by the same fee. */
export const together = (one: Share, other: Share): Share => ({
  ...one,
  netAtto: one.netAtto + other.netAtto,
  feeAtto: one.feeAtto + other.feeAtto,
  burnedAtto: one.burnedAtto + other.burnedAtto,
});
