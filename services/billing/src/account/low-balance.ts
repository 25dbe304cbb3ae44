import { accept, reject } from '@astro/event-sourcing/decider';
import type { AccountEvent, SetLowBalanceAlert } from '@astro/messages/billing';
import { changeOf, postingsIn, tenantAccount } from '@astro/messages/ledger-accounts';
import { MAX_UINT256 } from './amounts.js';
import type { AccountDecision } from './decision.js';
import { spendableAtto, type Account } from './state.js';

/** What is too little already is told at once. */
export function setLowBalanceAlert(
  { tenantId, amountAtto }: SetLowBalanceAlert,
  account: Account,
): AccountDecision {
  if (amountAtto === account.lowBalance?.amountAtto) return accept();
  if (amountAtto === undefined) return accept({ type: 'LowBalanceAlertSet', data: { tenantId } });
  if (amountAtto <= 0n) return reject('AmountIsNotPositive', `amountAtto: ${amountAtto}`);
  if (amountAtto > MAX_UINT256) return reject('AmountExceedsUint256', `amountAtto: ${amountAtto}`);
  const set = { type: 'LowBalanceAlertSet', data: { tenantId, amountAtto } } as const;
  return accept(set, ...reached(tenantId, spendableAtto(account), amountAtto));
}

/** What is to be told with these events, unless it was told since there was last enough. */
export function lowBalanceAfter(events: readonly AccountEvent[], account: Account): readonly AccountEvent[] {
  const { tenantId, lowBalance, availableAtto, owedAtto } = account;
  if (tenantId === undefined || !lowBalance || lowBalance.isTold) return [];
  const postings = events.flatMap(postingsIn);
  const spendable = spendableAtto({
    availableAtto: availableAtto + changeOf(tenantAccount(tenantId, 'available'), postings),
    owedAtto: owedAtto - changeOf(tenantAccount(tenantId, 'owed'), postings),
  });
  return reached(tenantId, spendable, lowBalance.amountAtto);
}

const reached = (tenantId: string, spendableAtto: bigint, amountAtto: bigint): readonly AccountEvent[] =>
  spendableAtto < amountAtto
    ? [{ type: 'LowBalanceReached', data: { tenantId, spendableAtto, amountAtto } }]
    : [];
