import type { Projection } from '@astro/event-sourcing/projection';
import type { LedgerEvent } from './ledger.js';
import { changeOf, operatorAccount, postingsIn, tenantAccount } from '@astro/messages/ledger-accounts';
import { Atto } from '@astro/postgres/atto';
import { defineEntity, type EntityManager, type InferEntity } from '@mikro-orm/postgresql';
import { folding } from '../fold.js';

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

export const balances: Projection<LedgerEvent, EntityManager> = {
  name: 'billing.balances',
  version: 3,
  tables: ['balances'],
  reads: ['billing.account', 'billing.settlement'],
  ...folding<LedgerEvent, Balance>(Balance, {
    keysOf: event => [...new Set(postingsIn(event).map(({ account }) => account))],
    evolve(balance, { event, position }, account) {
      if (balance !== undefined && balance.position >= position) return balance;
      const balanceAtto = (balance?.balanceAtto ?? 0n) + changeOf(account, postingsIn(event));
      return { account, balanceAtto, position };
    },
  }),
};

/** The accounts that begin with `prefix`, for example `tenant:<id>:`, by name. */
export const balancesOf = (em: EntityManager, prefix: string) =>
  em.find(Balance, { account: { $gte: prefix, $lt: `${prefix}\uffff` } }, { orderBy: { account: 'asc' } });

/** What a tenant has, by what it is for. */
export type TenantBalance = {
  readonly availableAtto: bigint;
  readonly reservedAtto: bigint;
  readonly incomingAtto: bigint;
  readonly withdrawingAtto: bigint;
  /** What it took out of the chain beyond what it could spend, and owes until it is paid in. */
  readonly owedAtto: bigint;
};

/** Names of the tenant's accounts, by the members of its balance. */
export const accountsOfTenant = (tenantId: string): Readonly<Record<keyof TenantBalance, string>> => ({
  availableAtto: tenantAccount(tenantId, 'available'),
  reservedAtto: tenantAccount(tenantId, 'reserved'),
  incomingAtto: tenantAccount(tenantId, 'incoming'),
  withdrawingAtto: tenantAccount(tenantId, 'withdrawing'),
  owedAtto: tenantAccount(tenantId, 'owed'),
});

/** Of what the tenant's accounts hold: the ledger has below zero what is owed. */
export const tenantBalanceFrom = (held: TenantBalance): TenantBalance => ({
  ...held,
  owedAtto: -held.owedAtto,
});

/** What the tenant can spend, what its open jobs hold, what is on its way, and what it owes. */
export async function balanceOfTenant(em: EntityManager, tenantId: string): Promise<TenantBalance> {
  const accounts = accountsOfTenant(tenantId);
  const rows = await em.find(Balance, { account: { $in: Object.values(accounts) } });
  const held = new Map(rows.map(row => [row.account, row.balanceAtto]));
  const heldBy = (member: keyof TenantBalance) => held.get(accounts[member]) ?? 0n;
  return tenantBalanceFrom({
    availableAtto: heldBy('availableAtto'),
    reservedAtto: heldBy('reservedAtto'),
    incomingAtto: heldBy('incomingAtto'),
    withdrawingAtto: heldBy('withdrawingAtto'),
    owedAtto: heldBy('owedAtto'),
  });
}

/** What the operator has earned and not yet been paid out. */
export async function earningsOfOperator(em: EntityManager, operatorId: string): Promise<bigint> {
  const row = await em.findOne(Balance, { account: operatorAccount(operatorId, 'earned') });
  return row?.balanceAtto ?? 0n;
}
