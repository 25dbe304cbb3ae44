import { isDeepStrictEqual } from 'node:util';
import { accept, reject } from '@astro/event-sourcing/decider';
import type { Budget, RemoveBudget, SetBudget } from '@astro/messages/billing';
import { MAX_UINT256 } from './amounts.js';
import type { AccountDecision } from './decision.js';
import { isCountedBy, standingAt } from './budgets.js';
import type { Account } from './state.js';

/** Every reservation and charge looks through them. */
const MAX_BUDGETS = 64;
const MAX_THRESHOLDS = 10;

/** A new budget counts from now on; of what was before, only what is still reserved. */
export function setBudget({ tenantId, budget }: SetBudget, account: Account): AccountDecision {
  const flaw = flawOf(budget);
  if (flaw) return reject('BudgetIsInvalid', flaw);
  const known = account.budgets.get(budget.budgetId);
  if (known) {
    if (isDeepStrictEqual(known.budget, budget)) return accept();
    if (!isOfSameScope(known.budget, budget))
      return reject('BudgetIsFixed', 'scope: cannot be changed, nor can the period; remove the budget first');
    return accept({ type: 'BudgetSet', data: { tenantId, budget, standing: standingAt(known, undefined) } });
  }
  const same = [...account.budgets.values()].find(other => isOfSameScope(other.budget, budget));
  if (same)
    return reject('BudgetExists', `scope: budget ${same.budget.budgetId} has it, and the same period`);
  if (account.budgets.size >= MAX_BUDGETS)
    return reject('TooManyBudgets', `budgetId: there are ${MAX_BUDGETS} others`);
  const counted = [...account.open.values()].filter(({ scope }) => isCountedBy(budget, scope));
  const committedAtto = counted.reduce((sum, { leftAtto }) => sum + leftAtto, 0n);
  const { budgetId } = budget;
  const standing = { budgetId, periodStart: new Date(0), spentAtto: 0n, committedAtto };
  return accept({ type: 'BudgetSet', data: { tenantId, budget, standing } });
}

export function removeBudget({ tenantId, budgetId }: RemoveBudget, account: Account): AccountDecision {
  if (!account.budgets.has(budgetId)) return reject('BudgetNotFound', `budgetId: ${budgetId}`);
  return accept({ type: 'BudgetRemoved', data: { tenantId, budgetId } });
}

const isOfSameScope = (one: Budget, other: Budget): boolean =>
  one.project === other.project && one.apiKeyId === other.apiKeyId && one.period === other.period;

const NAME = /^[A-Za-z0-9._-]{1,64}$/;
const nameRule = 'must be 1 to 64 letters, digits, `.`, `_` or `-`';

/** The first thing that is wrong with a budget, by field; nothing when it is sound. */
function flawOf({ budgetId, amountAtto, ...budget }: Budget): string | undefined {
  const { project, apiKeyId, period, atLimit, thresholds } = budget;
  if (!NAME.test(budgetId)) return `budgetId: ${nameRule}`;
  if (project !== undefined && apiKeyId !== undefined) return 'scope: must be one of a project and a key';
  if (project !== undefined && !NAME.test(project)) return `scope.project: ${nameRule}`;
  if (apiKeyId !== undefined && !NAME.test(apiKeyId)) return `scope.apiKeyId: ${nameRule}`;
  if (amountAtto <= 0n) return 'amountAtto: must be at least 1';
  if (amountAtto > MAX_UINT256) return 'amountAtto: must be below 2^256';
  if (period === 'unspecified') return 'period: must be specified';
  if (atLimit === 'unspecified') return 'atLimit: must be specified';
  if (thresholds.length > MAX_THRESHOLDS) return `thresholds: at most ${MAX_THRESHOLDS}`;
  const isPercent = (value: number) => Number.isInteger(value) && value >= 1 && value <= 100;
  const wrong = thresholds.findIndex(threshold => !isPercent(threshold));
  if (wrong >= 0) return `thresholds[${wrong}]: must be a whole number from 1 to 100`;
  const unordered = thresholds.findIndex((threshold, index) => threshold <= (thresholds[index - 1] ?? 0));
  return unordered < 0 ? undefined : `thresholds[${unordered}]: must be more than the one before`;
}
