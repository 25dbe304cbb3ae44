import type { Share, TaskCharged } from '@astro/messages/billing';
import {
  changeOf,
  feeIn,
  ledgerAccountIn,
  platformBurned,
  platformValidators,
} from '@astro/messages/ledger-accounts';
import { termsIn, type FeeTerms } from '../account/fee.js';

/** Whatever was charged, with the fee that it was charged with. */
type Charged = FeeTerms & Pick<TaskCharged, 'tenantId' | 'postings'>;

/**
 * What each operator earned by one charge, with its part of the fee: in proportion to what it earned, by
 * running totals, so that the parts sum to the charge's fee, to what is burned of it and to what validators have of it,
 * exactly.
 */
export function sharesOf({ tenantId, postings, ...terms }: Charged): readonly Share[] {
  const earned: { readonly operatorId: string; readonly netAtto: bigint }[] = [];
  const feeAtto = feeIn(postings);
  const burnedAtto = changeOf(platformBurned, postings);
  const validatorsAtto = changeOf(platformValidators, postings);
  for (const { account, amountAtto } of postings) {
    const owner = ledgerAccountIn(account);
    if (owner?.owner === 'operator') earned.push({ operatorId: owner.id, netAtto: amountAtto });
  }
  const allAtto = earned.reduce((sum, { netAtto }) => sum + netAtto, 0n);
  const partOf = (amountAtto: bigint, upToAtto: bigint) => (amountAtto * upToAtto) / allAtto;
  let upToAtto = 0n;
  return earned.map(({ operatorId, netAtto }) => {
    const before = upToAtto;
    upToAtto += netAtto;
    const own = (amountAtto: bigint) => partOf(amountAtto, upToAtto) - partOf(amountAtto, before);
    return {
      ...{ tenantId, operatorId, netAtto, feeAtto: own(feeAtto), burnedAtto: own(burnedAtto) },
      ...(validatorsAtto > 0n && { validatorsAtto: own(validatorsAtto) }),
      ...termsIn(terms),
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

export const shareKey = ({ tenantId, operatorId, feeBps, burnBps, validatorBps = 0 }: Share): string =>
  `${operatorId} ${tenantId} ${feeBps} ${burnBps} ${validatorBps}`;

/** Both are of the same two, charged by the same fee. */
export function together(one: Share, other: Share): Share {
  const validatorsAtto = (one.validatorsAtto ?? 0n) + (other.validatorsAtto ?? 0n);
  return {
    ...one,
    netAtto: one.netAtto + other.netAtto,
    feeAtto: one.feeAtto + other.feeAtto,
    burnedAtto: one.burnedAtto + other.burnedAtto,
    ...(validatorsAtto > 0n && { validatorsAtto }),
  };
}
