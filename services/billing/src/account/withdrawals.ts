import { accept, reject } from '@astro/event-sourcing/decider';
import type {
  FollowPayment,
  LockForExit,
  Posting,
  ReturnWithdrawal,
  WithdrawFunds,
} from '@astro/messages/billing';
import { escrowCustody, tenantAccount } from '@astro/messages/ledger-accounts';
import { MAX_UINT256 } from './amounts.js';
import type { AccountDecision } from './decision.js';
import { transfer } from './postings.js';
import { mayBeForgotten } from './remembered.js';
import { spendableAtto, type Account } from './state.js';

/** Withdrawals of one tenant that the chain has not paid. */
const MAX_OPEN = 16;

/** Sets money aside that is to be paid out. Whether the address is the tenant's own, the escrow knows. */
export function withdraw(command: WithdrawFunds, account: Account): AccountDecision {
  const { tenantId, withdrawalId, address, amountAtto, requestedAt } = command;
  const known = account.withdrawals.entries.get(withdrawalId)?.value;
  if (known !== undefined) {
    if (known.address === address && known.amountAtto === amountAtto) return accept();
    return reject('WithdrawalExists', `withdrawalId: was ${known.amountAtto} to ${known.address}`);
  }
  const isTooLate = mayBeForgotten(account.withdrawals, withdrawalId, requestedAt.getTime());
  if (isTooLate) return reject('WithdrawalIsTooLate', `requestedAt: ${requestedAt.toISOString()}`);
  if (!/^repay_[0-9a-z]{26}$/.test(withdrawalId))
    return reject('WithdrawalIsInvalid', `withdrawalId: ${JSON.stringify(withdrawalId)} is none`);
  if (!/^0x[0-9a-f]{40}$/.test(address))
    return reject('WithdrawalIsInvalid', 'address: must be 0x and 40 digits of hex in lower case');
  if (amountAtto <= 0n) return reject('AmountIsNotPositive', `amountAtto: ${amountAtto}`);
  if (amountAtto > MAX_UINT256) return reject('AmountExceedsUint256', `amountAtto: ${amountAtto}`);
  if (account.leaving.size >= MAX_OPEN)
    return reject('TooManyWithdrawals', `withdrawalId: ${MAX_OPEN} others have not been paid yet`);
  const availableAtto = spendableAtto(account);
  if (availableAtto < amountAtto)
    return reject('FundsAreInsufficient', `amountAtto: ${amountAtto} of ${availableAtto} available`);
  const [available, withdrawing] = accountsOf(tenantId);
  const postings = transfer(available, [{ to: withdrawing, amountAtto }]);
  return accept({
    type: 'WithdrawalRequested',
    data: { tenantId, withdrawalId, address, postings, requestedAt },
  });
}

/** Nothing to do when the chain has paid it after all, or it was given back before. */
export function returnWithdrawal(
  { tenantId, withdrawalId, reason }: ReturnWithdrawal,
  { leaving }: Account,
): AccountDecision {
  const open = leaving.get(withdrawalId);
  if (!open) return accept();
  const [available, withdrawing] = accountsOf(tenantId);
  const postings = transfer(withdrawing, [{ to: available, amountAtto: open.amountAtto }]);
  return accept({ type: 'WithdrawalReturned', data: { tenantId, withdrawalId, reason, postings } });
}

/** A tenant that leaves by itself can spend no more of what it leaves with. */
export function lockForExit(command: LockForExit, account: Account): AccountDecision {
  const { tenantId, factId, address, amountAtto: announcedAtto, causePosition } = command;
  if (wasFollowed(account, factId, causePosition)) return accept();
  const before = account.exits.get(address) ?? 0n;
  const spendable = spendableAtto(account) + before;
  const lockedAtto = announcedAtto < spendable ? announcedAtto : spendable;
  const [available, withdrawing] = accountsOf(tenantId);
  const postings = moved([
    { account: available, amountAtto: before - lockedAtto },
    { account: withdrawing, amountAtto: lockedAtto - before },
  ]);
  const fact = { tenantId, factId, address, causePosition };
  return accept({ type: 'ExitLocked', data: { ...fact, announcedAtto, lockedAtto, postings } });
}

/**
 * The chain has paid, and is never refused: by a withdrawal of the platform, or else out of what is locked, then of
 * what can be spent; the tenant owes the rest, which jobs hold or others were promised.
 */
export function followPayment(command: FollowPayment, account: Account): AccountDecision {
  const { tenantId, factId, address, amountAtto, withdrawalId, endsExit, transactionHash } = command;
  const { causePosition } = command;
  if (wasFollowed(account, factId, causePosition)) return accept();
  const [available, withdrawing] = accountsOf(tenantId);
  const open = withdrawalId === undefined ? undefined : account.leaving.get(withdrawalId);
  if (withdrawalId !== undefined && open?.amountAtto === amountAtto) {
    const postings = transfer(withdrawing, [{ to: escrowCustody, amountAtto }]);
    const fact = { tenantId, withdrawalId, factId, transactionHash, causePosition };
    return accept({ type: 'WithdrawalPaid', data: { ...fact, postings } });
  }
  const lockedAtto = endsExit ? (account.exits.get(address) ?? 0n) : 0n;
  const spendable = account.availableAtto + lockedAtto;
  const owedAtto = amountAtto > spendable ? amountAtto - spendable : 0n;
  const postings = moved([
    { account: withdrawing, amountAtto: -lockedAtto },
    { account: available, amountAtto: lockedAtto - (amountAtto - owedAtto) },
    { account: tenantAccount(tenantId, 'owed'), amountAtto: -owedAtto },
    { account: escrowCustody, amountAtto },
  ]);
  const fact = { tenantId, factId, address, endsExit, transactionHash, causePosition };
  return accept({ type: 'ExitFollowed', data: { ...fact, postings } });
}

/** What lies so far back that it may have been forgotten, was: facts come in the order of their positions. */
const wasFollowed = ({ facts }: Account, factId: string, causePosition: number): boolean =>
  facts.entries.has(factId) || mayBeForgotten(facts, factId, causePosition);

const accountsOf = (tenantId: string) =>
  [tenantAccount(tenantId, 'available'), tenantAccount(tenantId, 'withdrawing')] as const;

const moved = (postings: readonly Posting[]): readonly Posting[] =>
  postings.filter(({ amountAtto }) => amountAtto !== 0n);
