import type { Share } from '@astro/messages/billing';
import { isSameFee, type FeeTerms } from '../account/fee.js';
import { grossOf } from './batch.js';

/** What Escrow has of a tenant, and what it can take out by itself from when on. */
export type Funds = {
  readonly balanceAtto: bigint;
  readonly announcedAtto: bigint;
  readonly availableAt: Date;
};

/** A settlement that was sent may wait so long for a block: a tenant that can leave before counts as gone. */
const exitMarginMs = 3_600_000;

/** What each tenant would be debited by a batch of these terms, what waits of it included. */
export function dueOf(shares: Iterable<Share>, terms: FeeTerms): ReadonlyMap<string, bigint> {
  const due = new Map<string, bigint>();
  for (const share of shares) {
    if (!isSameFee(share, terms)) continue;
    due.set(share.tenantId, (due.get(share.tenantId) ?? 0n) + grossOf(share));
  }
  return due;
}

/** Whether Escrow can debit it, whatever the tenant does until then by itself. */
export function canPay(
  dueAtto: bigint,
  { balanceAtto, announcedAtto, availableAt }: Funds,
  now: Date,
): boolean {
  const mayLeave = availableAt.getTime() <= now.getTime() + exitMarginMs;
  return balanceAtto - (mayLeave ? announcedAtto : 0n) >= dueAtto;
}
