import type { Posting } from '@astro/messages/billing';

/** What one account receives of a transfer. */
export type Part = { readonly to: string; readonly amountAtto: bigint };

export const availableOf = (tenantId: string): string => `tenant:${tenantId}:available`;
export const reservedOf = (tenantId: string): string => `tenant:${tenantId}:reserved`;
export const earnedBy = (operatorId: string): string => `operator:${operatorId}:earned`;
export const platformFees = 'platform:fees';
export const platformBurned = 'platform:burned';
/** Where credit comes from: its balance is what all tenants ever paid in, negated. */
export const platformFunding = 'platform:funding';

/**
 * The postings of one transaction. The giving side is computed from the receiving ones, so that they sum to zero
 * by construction. Sides of nothing are left out.
 * @throws RangeError when a part is negative: that would be a transfer the other way, hidden in this one.
 */
export function transfer(from: string, parts: readonly Part[]): readonly Posting[] {
  const negative = parts.find(part => part.amountAtto < 0n);
  if (negative) throw new RangeError(`a transfer of ${negative.amountAtto} to ${negative.to} is negative`);
  const total = parts.reduce((sum, part) => sum + part.amountAtto, 0n);
  return [
    { account: from, amountAtto: -total },
    ...parts.map(({ to, amountAtto }) => ({ account: to, amountAtto })),
  ].filter(posting => posting.amountAtto !== 0n);
}

/** How much these postings change the balance of one account. */
export const changeOf = (account: string, postings: readonly Posting[]): bigint =>
  postings.reduce((sum, posting) => (posting.account === account ? sum + posting.amountAtto : sum), 0n);
