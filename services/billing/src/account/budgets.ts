import type { Budget, BudgetRefusal, BudgetStanding } from '@astro/messages/billing';
import { periodStart } from '@astro/messages/budget-periods';
import type { Account, BudgetAccount, JobScope } from './state.js';

/** Without what is not said. */
export const scopeOf = ({ project, apiKeyId }: JobScope): JobScope => ({
  ...(project !== undefined && { project }),
  ...(apiKeyId !== undefined && { apiKeyId }),
});

export const isCountedBy = (budget: Budget, { project, apiKeyId }: JobScope): boolean =>
  (budget.project === undefined || budget.project === project) &&
  (budget.apiKeyId === undefined || budget.apiKeyId === apiKeyId);

/** The budgets that count a job of this scope: of the tenant, of its project and of its key. */
export const budgetsOver = (account: Account, scope: JobScope): readonly BudgetAccount[] =>
  account.budgets.size === 0
    ? []
    : [...account.budgets.values()].filter(({ budget }) => isCountedBy(budget, scope));

/**
 * The budget with a hard stop that would be passed if `amountAtto` more were reserved; undefined when none would be.
 * @param at when it was asked for, which tells the period; undefined: in the last one in which anything was counted
 */
export function budgetRefusing(
  account: Account,
  scope: JobScope,
  amountAtto: bigint,
  at: Date | undefined,
): BudgetRefusal | undefined {
  // What costs nothing passes nothing, not even a limit that was lowered below what is spent.
  if (amountAtto <= 0n) return undefined;
  for (const entry of budgetsOver(account, scope)) {
    if (entry.budget.atLimit !== 'hard_stop') continue;
    const { budgetId, spentAtto, committedAtto } = standingAt(entry, at);
    const leftAtto = entry.budget.amountAtto - spentAtto - committedAtto;
    if (amountAtto > leftAtto) return { budgetId, leftAtto: leftAtto > 0n ? leftAtto : 0n };
  }
  return undefined;
}

/** Where a budget stands at a time: a new period begins with nothing spent, and none ever comes back. */
export function standingAt(entry: BudgetAccount, at: Date | undefined): BudgetStanding {
  const { budget, committedAtto, spentAtto } = entry;
  const start = at === undefined ? 0 : periodStart(budget.period, at).getTime();
  const isNew = start > entry.periodStart;
  return {
    budgetId: budget.budgetId,
    periodStart: new Date(isNew ? start : entry.periodStart),
    spentAtto: isNew ? 0n : spentAtto,
    committedAtto,
  };
}
