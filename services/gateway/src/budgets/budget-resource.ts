import { periodEnd, periodStart } from '@astro/messages/budget-periods';
import { spentAt, type Budget } from '@astro/read-models/billing/budgets';
import { budget as schema, type BudgetResource } from './budgets.schema.js';

/** The budget as the API shows it, in the period of `now`. */
export function toResource(budget: Budget, now: Date): BudgetResource {
  const { period, amountAtto, committedAtto } = budget;
  const spentAtto = spentAt(budget, now);
  const leftAtto = amountAtto - spentAtto - committedAtto;
  const end = periodEnd(period, now);
  return schema.parse({
    id: budget.budgetId,
    scope: scopeOf(budget),
    amountAtto: amountAtto.toString(),
    period,
    atLimit: budget.atLimit,
    thresholds: budget.thresholds,
    ...(end && { periodStart: periodStart(period, now).toISOString(), periodEnd: end.toISOString() }),
    spentAtto: spentAtto.toString(),
    committedAtto: committedAtto.toString(),
    leftAtto: (leftAtto > 0n ? leftAtto : 0n).toString(),
  });
}

function scopeOf({ project, apiKeyId }: Budget) {
  if (typeof project === 'string') return { kind: 'project', project };
  return typeof apiKeyId === 'string' ? { kind: 'api_key', apiKeyId } : { kind: 'tenant' };
}
