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

type Budgets = Account['budgets'];
/** By the id of the budget. */
export type Standings = ReadonlyMap<string, BudgetStanding>;

/** The budgets that count a job of this scope: of the tenant, of its project and of its key. */
export const budgetsOver = (budgets: Budgets, scope: JobScope): readonly BudgetAccount[] =>
  budgets.size === 0 ? [] : [...budgets.values()].filter(({ budget }) => isCountedBy(budget, scope));

/**
 * The budget with a hard stop that leaves least to be reserved; undefined when none counts the job.
 * @param at when it was asked for, which tells the period; undefined: in the last one in which anything was counted
 * @param standings where the same decision has left budgets already
 */
export function limitOfBudgets(
  budgets: Budgets,
  scope: JobScope,
  at: Date | undefined,
  standings: Standings = new Map(),
): BudgetRefusal | undefined {
  let limit: BudgetRefusal | undefined;
  for (const entry of budgetsOver(budgets, scope)) {
    if (entry.budget.atLimit !== 'hard_stop') continue;
    const { budgetId, spentAtto, committedAtto } =
      standings.get(entry.budget.budgetId) ?? standingAt(entry, at);
    const leftAtto = entry.budget.amountAtto - spentAtto - committedAtto;
    if (limit === undefined || leftAtto < limit.leftAtto)
      // A limit may have been lowered below what is spent; what costs nothing passes that too.
      limit = { budgetId, leftAtto: leftAtto > 0n ? leftAtto : 0n };
  }
  return limit;
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
