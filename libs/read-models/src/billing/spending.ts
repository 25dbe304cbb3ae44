import type { Projection } from '@astro/event-sourcing/projection';
import type { AccountEvent } from '@astro/messages/billing';
import { changeOf, tenantAccount } from '@astro/messages/ledger-accounts';
import { Atto } from '@astro/postgres/atto';
import { defineEntity, type EntityManager, type InferEntity } from '@mikro-orm/postgresql';
import { folding } from '../fold.js';

/** Of one row: short enough to tell what is spent within an hour. */
export const SPENDING_SLOT_MS = 600_000;

/** What a tenant was charged within each ten minutes, by the time at which the charges were recorded. */
export const Spending = defineEntity({
  name: 'Spending',
  schema: 'billing',
  tableName: 'spending',
  indexes: [{ properties: ['tenantId', 'slot'] }],
  properties: p => ({
    /** `<tenant> <slot in milliseconds>` */
    id: p.text().primary(),
    tenantId: p.text(),
    /** When the ten minutes begin. */
    slot: p.datetime(),
    chargedAtto: p.type(Atto),
    /** Of the last event that was added: an older one, repeated, is not added again. */
    position: p.bigint('number'),
  }),
});
export type Spending = InferEntity<typeof Spending>;

const slotOf = (at: Date): Date => new Date(at.getTime() - (at.getTime() % SPENDING_SLOT_MS));

export const spending: Projection<AccountEvent, EntityManager> = {
  name: 'billing.spending',
  version: 2,
  tables: ['spending'],
  reads: ['billing.account'],
  ...folding<AccountEvent, Spending>(Spending, {
    keysOf: ({ type, data }, recordedAt) =>
      type === 'TaskCharged' || type === 'StorageCharged'
        ? [`${data.tenantId} ${slotOf(recordedAt).getTime()}`]
        : [],
    evolve(spent, { event, recordedAt, position }, id) {
      const isCharge = event.type === 'TaskCharged' || event.type === 'StorageCharged';
      if (!isCharge || (spent !== undefined && spent.position >= position)) return spent;
      const { tenantId, postings } = event.data;
      const paidFrom = tenantAccount(tenantId, event.type === 'TaskCharged' ? 'reserved' : 'available');
      const chargedAtto = -changeOf(paidFrom, postings);
      const before = spent ?? { id, tenantId, slot: slotOf(recordedAt), chargedAtto: 0n };
      return { ...before, chargedAtto: before.chargedAtto + chargedAtto, position };
    },
  }),
};

/** What was charged in a stretch of time that ends now and begins with whole ten minutes. */
export type SpentSince = { readonly from: Date; readonly chargedAtto: bigint };

/** What the tenant was charged in at least the last `forMs` milliseconds, of at most a day. */
export async function spentWithin(
  em: EntityManager,
  tenantId: string,
  forMs: number,
  now: Date,
): Promise<SpentSince> {
  const from = slotOf(new Date(now.getTime() - forMs));
  const rows = await em.find(Spending, { tenantId, slot: { $gte: from } });
  return { from, chargedAtto: rows.reduce((sum, row) => sum + row.chargedAtto, 0n) };
}
