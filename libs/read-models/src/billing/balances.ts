import type { Projection } from '@astro/event-sourcing/projection';
import type { AccountEvent, Posting } from '@astro/messages/billing';
import { Atto } from '@astro/postgres/atto';
import { defineEntity, type EntityManager, type InferEntity } from '@mikro-orm/postgresql';

/** What each account of the ledger holds. An account without a row holds nothing. */
export const Balance = defineEntity({
  name: 'Balance',
  schema: 'billing',
  tableName: 'balances',
  properties: p => ({
    account: p.text().primary(),
    balanceAtto: p.type(Atto),
    /** Of the last event that was added: an older one, repeated, is not added again. */
    position: p.bigint('number'),
  }),
});
export type Balance = InferEntity<typeof Balance>;

export const balances: Projection<AccountEvent, EntityManager> = {
  name: 'billing.balances',
  reads: ['billing.account'],
  async apply(em, { event: { type, data }, position }) {
    switch (type) {
      case 'AccountCredited':
      case 'FundsReserved':
      case 'TaskCharged':
      case 'FundsReleased':
        return add(em, data.postings, position);
    }
  },
};

async function add(em: EntityManager, postings: readonly Posting[], position: number): Promise<void> {
  const deltas = new Map<string, bigint>();
  for (const { account, amountAtto } of postings)
    deltas.set(account, (deltas.get(account) ?? 0n) + amountAtto);
  if (deltas.size === 0) return;
  // In one order everywhere, so that two transactions never wait for each other.
  const rows = [...deltas].sort(([a], [b]) => (a < b ? -1 : 1));
  await em.execute(
    `insert into "billing"."balances" as b ("account", "balance_atto", "position")
     values ${rows.map(() => '(?, ?, ?)').join(', ')}
     on conflict ("account") do update
     set "balance_atto" = b."balance_atto" + excluded."balance_atto", "position" = excluded."position"
     where b."position" < excluded."position"`,
    rows.flatMap(([account, delta]) => [account, delta.toString(), position]),
  );
}

/** The accounts that begin with `prefix`, for example `tenant:<id>:`, by name. */
export const balancesOf = (em: EntityManager, prefix: string) =>
  em.find(Balance, { account: { $gte: prefix, $lt: `${prefix}\uffff` } }, { orderBy: { account: 'asc' } });

export type TenantBalance = { readonly availableAtto: bigint; readonly reservedAtto: bigint };

/** What the tenant can spend, and what its open jobs hold. */
export async function balanceOfTenant(em: EntityManager, tenantId: string): Promise<TenantBalance> {
  const [available, reserved] = [`tenant:${tenantId}:available`, `tenant:${tenantId}:reserved`];
  const rows = await em.find(Balance, { account: { $in: [available, reserved] } });
  const held = new Map(rows.map(row => [row.account, row.balanceAtto]));
  return { availableAtto: held.get(available) ?? 0n, reservedAtto: held.get(reserved) ?? 0n };
}

/** What the operator has earned and not yet been paid out. */
export async function earningsOfOperator(em: EntityManager, operatorId: string): Promise<bigint> {
  const row = await em.findOne(Balance, { account: `operator:${operatorId}:earned` });
  return row?.balanceAtto ?? 0n;
}
