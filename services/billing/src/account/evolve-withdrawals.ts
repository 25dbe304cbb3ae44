import type { AccountEvent } from '@astro/messages/billing';
import { changeOf, tenantAccount } from '@astro/messages/ledger-accounts';
import { remember } from './remembered.js';
import type { Account, Memory } from './state.js';

export type WithdrawalEvent = Extract<
  AccountEvent,
  {
    type: 'WithdrawalRequested' | 'WithdrawalReturned' | 'WithdrawalPaid' | 'ExitLocked' | 'ExitFollowed';
  }
>;

/** Changes `account` in place; its balances are those of the postings already. */
export function evolveWithdrawals(account: Account, { type, data }: WithdrawalEvent, memory: Memory): void {
  switch (type) {
    case 'WithdrawalRequested': {
      const { tenantId, withdrawalId, address, postings, requestedAt } = data;
      const value = { address, amountAtto: changeOf(tenantAccount(tenantId, 'withdrawing'), postings) };
      account.leaving.set(withdrawalId, value);
      const entry = { order: requestedAt.getTime(), weight: 1, value };
      return remember(account.withdrawals, withdrawalId, entry, memory.withdrawals);
    }
    case 'WithdrawalReturned':
      return void account.leaving.delete(data.withdrawalId);
    case 'WithdrawalPaid':
      account.leaving.delete(data.withdrawalId);
      return followed(account, data, memory);
    case 'ExitLocked':
      if (data.lockedAtto === 0n) account.exits.delete(data.address);
      else account.exits.set(data.address, data.lockedAtto);
      return followed(account, data, memory);
    case 'ExitFollowed':
      if (data.endsExit) account.exits.delete(data.address);
      return followed(account, data, memory);
  }
}

type Fact = { readonly factId: string; readonly causePosition: number };

function followed(account: Account, { factId, causePosition }: Fact, memory: Memory): void {
  const entry = { order: causePosition, weight: 1, value: true } as const;
  remember(account.facts, factId, entry, memory.facts);
}
