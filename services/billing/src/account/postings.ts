import type { Posting } from '@astro/messages/billing';

/** What one account receives of a transfer. */
export type Part = { readonly to: string; readonly amountAtto: bigint };

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
