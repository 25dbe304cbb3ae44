import type { Projection } from '@astro/event-sourcing/projection';
import type { AccountEvent, AtLimit, BudgetPeriod, BudgetSet, BudgetStanding } from '@astro/messages/billing';
import { periodStart } from '@astro/messages/budget-periods';
import { Atto } from '@astro/postgres/atto';
import { defineEntity, type EntityManager, type InferEntity } from '@mikro-orm/postgresql';
import { folding } from '../fold.js';

/** A tenant's budgets, and where each stands after the last event that it counted. */
export const Budget = defineEntity({
  name: 'Budget',
  schema: 'billing',
  tableName: 'budgets',
  indexes: [{ properties: ['tenantId', 'budgetId'] }],
  properties: p => ({
    /** `<tenant> <budget>`: the tenant has named it. */
    id: p.text().primary(),
    tenantId: p.text(),
    budgetId: p.text(),
    project: p.text().nullable(),
    apiKeyId: p.text().nullable(),
    amountAtto: p.type(Atto),
    period: p.text().$type<BudgetPeriod>(),
    atLimit: p.text().$type<AtLimit>(),
    thresholds: p.json<readonly number[]>(),
    /** What is spent was spent in this period, which may be over. */
    periodStart: p.datetime(),
    spentAtto: p.type(Atto),
    committedAtto: p.type(Atto),
    isRemoved: p.boolean(),
    /** Of the last event that changed the row: an older one, repeated, does not change it again. */
    position: p.bigint('number'),
  }),
});
export type Budget = InferEntity<typeof Budget>;

export const budgets: Projection<AccountEvent, EntityManager> = {
  name: 'billing.budgets',
  version: 1,
  tables: ['budgets'],
  reads: ['billing.account'],
  ...folding<AccountEvent, Budget>(Budget, {
    keysOf(event) {
      const { tenantId } = event.data;
      return [...new Set(budgetsIn(event).map(budgetId => idOf(tenantId, budgetId)))];
    },
    evolve(budget, { event, position }, id) {
      const { type, data } = event;
      if (budget !== undefined && budget.position >= position) return budget;
      if (type === 'BudgetSet') return { ...settings(data), ...standing(data.standing), position };
      if (budget === undefined) return undefined;
      if (type === 'BudgetRemoved') return { ...budget, isRemoved: true, position };
      const after = standingsIn(event).findLast(({ budgetId }) => idOf(data.tenantId, budgetId) === id);
      return after ? { ...budget, ...standing(after), position } : budget;
    },
  }),
};

const idOf = (tenantId: string, budgetId: string): string => `${tenantId} ${budgetId}`;

const standingsIn = ({ data }: AccountEvent): readonly BudgetStanding[] =>
  'budgets' in data ? (data.budgets?.standings ?? []) : [];

function budgetsIn(event: AccountEvent): readonly string[] {
  if (event.type === 'BudgetSet') return [event.data.budget.budgetId];
  if (event.type === 'BudgetRemoved') return [event.data.budgetId];
  return standingsIn(event).map(({ budgetId }) => budgetId);
}

const settings = ({ tenantId, budget }: BudgetSet) => ({
  id: idOf(tenantId, budget.budgetId),
  tenantId,
  budgetId: budget.budgetId,
  project: budget.project ?? null,
  apiKeyId: budget.apiKeyId ?? null,
  amountAtto: budget.amountAtto,
  period: budget.period,
  atLimit: budget.atLimit,
  thresholds: budget.thresholds,
  isRemoved: false,
});

const standing = ({ periodStart, spentAtto, committedAtto }: BudgetStanding) => ({
  periodStart,
  spentAtto,
  committedAtto,
});

/** The tenant's budgets, of which there are not many, by their ids. */
export const budgetsOf = (em: EntityManager, tenantId: string) =>
  em.find(Budget, { tenantId, isRemoved: false }, { orderBy: { budgetId: 'asc' } });

/** The tenant's budget; another tenant's is as good as none. */
export const findBudget = (em: EntityManager, tenantId: string, budgetId: string) =>
  em.findOne(Budget, { tenantId, budgetId, isRemoved: false });

/** What of it was spent in the period of `now`. */
export const spentAt = ({ period, periodStart: start, spentAtto }: Budget, now: Date): bigint =>
  start.getTime() < periodStart(period, now).getTime() ? 0n : spentAtto;
