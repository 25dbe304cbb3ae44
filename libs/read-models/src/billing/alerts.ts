import type { Projection } from '@astro/event-sourcing/projection';
import type { Recorded } from '@astro/event-sourcing/recorded';
import type { AccountEvent, BudgetPeriod } from '@astro/messages/billing';
import { Atto } from '@astro/postgres/atto';
import { insertRows } from '@astro/postgres/rows';
import {
  defineEntity,
  type EntityManager,
  type InferEntity,
  type RequiredEntityData,
} from '@mikro-orm/postgresql';
import { folding } from '../fold.js';
import { InvalidCursor, keyIn, pageOf, rowsFor, type Page, type PageQuery } from '../page.js';

export type AlertKind = 'budget_charged' | 'budget_committed' | 'balance_low';

/** What tenants were told of their budgets and their balance. */
export const Alert = defineEntity({
  name: 'Alert',
  schema: 'billing',
  tableName: 'alerts',
  indexes: [{ properties: ['tenantId', 'position'] }],
  properties: p => ({
    position: p.bigint('number').primary(),
    eventId: p.text(),
    tenantId: p.text(),
    kind: p.text().$type<AlertKind>(),
    /** Of the budget, or that below which the tenant wants to be told. */
    amountAtto: p.type(Atto),
    recordedAt: p.datetime(),
    /** Zero of an alert about a budget. */
    spendableAtto: p.type(Atto),
    /** Both zero of one about the balance. */
    spentAtto: p.type(Atto),
    committedAtto: p.type(Atto),
    /** From here on, of one about a budget. */
    budgetId: p.text().nullable(),
    threshold: p.integer().nullable(),
    period: p.text().$type<BudgetPeriod>().nullable(),
    periodStart: p.datetime().nullable(),
  }),
});
export type Alert = InferEntity<typeof Alert>;

/** Below what each tenant wants to be told of its balance. */
export const BalanceAlert = defineEntity({
  name: 'BalanceAlert',
  schema: 'billing',
  tableName: 'balance_alerts',
  properties: p => ({
    tenantId: p.text().primary(),
    /** Zero: it does not. */
    amountAtto: p.type(Atto),
    /** Of the last event that changed the row: an older one, repeated, does not change it again. */
    position: p.bigint('number'),
  }),
});
export type BalanceAlert = InferEntity<typeof BalanceAlert>;

const balanceAlerts = folding<AccountEvent, BalanceAlert>(BalanceAlert, {
  keysOf: ({ type, data }) => (type === 'LowBalanceAlertSet' ? [data.tenantId] : []),
  evolve(alert, { event: { type, data }, position }, tenantId) {
    if (type !== 'LowBalanceAlertSet' || (alert !== undefined && alert.position >= position)) return alert;
    return { tenantId, amountAtto: data.amountAtto ?? 0n, position };
  },
});

export const alerts: Projection<AccountEvent, EntityManager> = {
  name: 'billing.alerts',
  version: 1,
  tables: ['alerts', 'balance_alerts'],
  reads: ['billing.account'],
  apply: (em, recorded) => addAlerts(em, [recorded]),
  applyBatch: addAlerts,
};

async function addAlerts(em: EntityManager, batch: readonly Recorded<AccountEvent>[]): Promise<void> {
  const rows = batch.flatMap(alertIn);
  if (rows.length > 0) await insertRows(em, Alert, rows, 'ignore');
  await balanceAlerts.applyBatch(em, batch);
}

function alertIn({
  id: eventId,
  event: { type, data },
  position,
  recordedAt,
}: Recorded<AccountEvent>): RequiredEntityData<Alert>[] {
  const told = { position, eventId, tenantId: data.tenantId, recordedAt };
  if (type === 'LowBalanceReached') {
    const { amountAtto, spendableAtto } = data;
    return [{ ...told, kind: 'balance_low', amountAtto, spendableAtto, ...ofNoBudget }];
  }
  if (type !== 'BudgetThresholdReached') return [];
  const { basis, tenantId: _tenantId, ...ofBudget } = data;
  const kind = basis === 'committed' ? 'budget_committed' : 'budget_charged';
  return [{ ...told, kind, spendableAtto: 0n, ...ofBudget }];
}

const ofNoBudget = {
  spentAtto: 0n,
  committedAtto: 0n,
  budgetId: null,
  threshold: null,
  period: null,
  periodStart: null,
};

/** What the tenant was told, newest first. @throws InvalidCursor */
export async function pageOfAlerts(
  em: EntityManager,
  tenantId: string,
  { cursor, limit }: PageQuery,
): Promise<Page<Alert>> {
  const rows = await em.find(
    Alert,
    { tenantId, ...(cursor === undefined ? {} : { position: { $lt: positionIn(cursor) } }) },
    { orderBy: { position: 'desc' }, limit: rowsFor(limit) },
  );
  return pageOf(rows, limit, ({ position }) => [String(position)]);
}

function positionIn(cursor: string): number {
  const position = Number(keyIn(cursor, 1)[0]);
  if (!Number.isSafeInteger(position)) throw new InvalidCursor('this cursor is not of this list');
  return position;
}

/** Undefined: the tenant does not want to be told. */
export async function balanceAlertOf(em: EntityManager, tenantId: string): Promise<bigint | undefined> {
  const alert = await em.findOne(BalanceAlert, { tenantId });
  return alert?.amountAtto || undefined;
}
