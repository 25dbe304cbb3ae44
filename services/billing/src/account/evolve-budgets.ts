import type { AccountEvent, BudgetSet, BudgetStanding } from '@astro/messages/billing';
import { spendableAtto, type Account, type BudgetAccount } from './state.js';

export type BudgetEvent = Extract<
  AccountEvent,
  {
    type:
      'BudgetSet' | 'BudgetRemoved' | 'BudgetThresholdReached' | 'LowBalanceAlertSet' | 'LowBalanceReached';
  }
>;

/** Changes `account` in place: what any event says of budgets, and whether there is enough to spend again. */
export function followStandings(account: Account, { data }: AccountEvent): void {
  const standings = 'budgets' in data ? (data.budgets?.standings ?? []) : [];
  for (const standing of standings) follow(budgetIn(account, standing.budgetId), standing);
  const { lowBalance } = account;
  if (lowBalance?.isTold && spendableAtto(account) >= lowBalance.amountAtto) lowBalance.isTold = false;
}

/** Changes `account` in place. */
export function evolveBudgets(account: Account, { type, data }: BudgetEvent): void {
  switch (type) {
    case 'BudgetSet':
      return void account.budgets.set(data.budget.budgetId, budgetSet(data, account));
    case 'BudgetRemoved':
      return void account.budgets.delete(data.budgetId);
    case 'BudgetThresholdReached': {
      const entry = budgetIn(account, data.budgetId);
      enterPeriod(entry, data.periodStart.getTime());
      if (data.basis === 'charged') entry.told.add(data.threshold);
      else entry.isCommitmentTold = true;
      return;
    }
    case 'LowBalanceAlertSet': {
      const { amountAtto } = data;
      if (amountAtto === undefined) delete account.lowBalance;
      else account.lowBalance = { amountAtto, isTold: false };
      return;
    }
    case 'LowBalanceReached':
      if (account.lowBalance) account.lowBalance.isTold = true;
  }
}

/** The budgets as the events of one decision would leave them, but for where they stand. */
export function budgetsAfter(events: readonly AccountEvent[], account: Account): Account['budgets'] {
  const changes = events.filter(({ type }) => type === 'BudgetSet' || type === 'BudgetRemoved');
  if (changes.length === 0) return account.budgets;
  const budgets = new Map(account.budgets);
  for (const { type, data } of changes)
    if (type === 'BudgetSet') budgets.set(data.budget.budgetId, budgetSet(data, account));
    else if (type === 'BudgetRemoved') budgets.delete(data.budgetId);
  return budgets;
}

/** Of another amount all thresholds are told anew. */
function budgetSet({ budget, standing }: BudgetSet, account: Account): BudgetAccount {
  const { spentAtto, committedAtto } = standing;
  const before = account.budgets.get(budget.budgetId);
  const isSameAmount = before?.budget.amountAtto === budget.amountAtto;
  return {
    budget,
    periodStart: standing.periodStart.getTime(),
    spentAtto,
    committedAtto,
    told: new Set(isSameAmount ? before?.told : []),
    isCommitmentTold: isSameAmount && before.isCommitmentTold,
  };
}

function follow(entry: BudgetAccount, { periodStart, spentAtto, committedAtto }: BudgetStanding): void {
  enterPeriod(entry, periodStart.getTime());
  entry.spentAtto = spentAtto;
  entry.committedAtto = committedAtto;
}

/** In a new period nothing is spent, and nothing has been told. */
function enterPeriod(entry: BudgetAccount, periodStart: number): void {
  if (periodStart === entry.periodStart) return;
  entry.periodStart = periodStart;
  entry.spentAtto = 0n;
  entry.told.clear();
  entry.isCommitmentTold = false;
}

function budgetIn(account: Account, budgetId: string): BudgetAccount {
  const entry = account.budgets.get(budgetId);
  if (!entry) throw new Error(`the history of ${account.tenantId} has no budget ${budgetId}`);
  return entry;
}
