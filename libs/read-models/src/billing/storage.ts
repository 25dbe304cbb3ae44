import type { Projection } from '@astro/event-sourcing/projection';
import type { AccountEvent, StorageEvent } from '@astro/messages/billing';
import { changeOf, tenantAccount } from '@astro/messages/ledger-accounts';
import { Atto } from '@astro/postgres/atto';
import { defineEntity, type EntityManager, type InferEntity } from '@mikro-orm/postgresql';
import { folding } from '../fold.js';

/** What is kept for each tenant, and what that has cost it. */
export const StorageUsage = defineEntity({
  name: 'StorageUsage',
  schema: 'billing',
  tableName: 'storage',
  indexes: [{ properties: ['unmeteredSince', 'tenantId'] }],
  properties: p => ({
    tenantId: p.text().primary(),
    contents: p.integer(),
    bytes: p.type(Atto),
    /** Of all that was metered, in 10^-18 GiB-hours. */
    gibHoursAtto: p.type(Atto),
    meteredThrough: p.datetime().nullable(),
    /** Since when something is kept that was not metered yet; null when nothing is. */
    unmeteredSince: p.datetime().nullable(),
    chargedAtto: p.type(Atto),
    /** What could not be paid, and is charged with the next period. */
    dueAtto: p.type(Atto),
    /** Of the last event that was added: an older one, repeated, is not added again. */
    position: p.bigint('number'),
  }),
});
export type StorageUsage = InferEntity<typeof StorageUsage>;

export const storageUsage: Projection<StorageEvent | AccountEvent, EntityManager> = {
  name: 'billing.storage-usage',
  version: 1,
  tables: ['storage'],
  reads: ['billing.storage', 'billing.account'],
  ...folding<StorageEvent | AccountEvent, StorageUsage>(StorageUsage, {
    keysOf: ({ type, data }) => (isAboutStorage(type) ? [data.tenantId] : []),
    evolve(used, { event, position }, tenantId) {
      if (used !== undefined && used.position >= position) return used;
      return { ...after(used ?? { tenantId, ...nothingKept }, event), position };
    },
  }),
};

const nothingKept = {
  ...{ contents: 0, bytes: 0n, gibHoursAtto: 0n, chargedAtto: 0n, dueAtto: 0n },
  ...{ meteredThrough: null, unmeteredSince: null, position: 0 },
};

const typesAboutStorage: readonly (StorageEvent | AccountEvent)['type'][] = [
  'ContentStored',
  'ContentReleased',
  'StorageMetered',
  'StorageCharged',
  'StorageUnpaid',
];
const isAboutStorage = (type: (StorageEvent | AccountEvent)['type']): boolean =>
  typesAboutStorage.includes(type);

function after(used: StorageUsage, { type, data }: StorageEvent | AccountEvent): StorageUsage {
  switch (type) {
    case 'ContentStored': {
      const bytes = data.contents.reduce((sum, { sizeBytes }) => sum + BigInt(sizeBytes), used.bytes);
      const contents = used.contents + data.contents.length;
      return { ...used, contents, bytes, unmeteredSince: used.unmeteredSince ?? data.storedAt };
    }
    case 'ContentReleased':
      return { ...used, contents: used.contents - 1, bytes: used.bytes - BigInt(data.sizeBytes) };
    case 'StorageMetered':
      return {
        ...used,
        gibHoursAtto: used.gibHoursAtto + data.gibHoursAtto,
        meteredThrough: data.through,
        unmeteredSince: used.contents > 0 ? data.through : null,
      };
    case 'StorageCharged': {
      const chargedAtto =
        used.chargedAtto - changeOf(tenantAccount(data.tenantId, 'available'), data.postings);
      return { ...used, chargedAtto, dueAtto: 0n };
    }
    case 'StorageUnpaid':
      return { ...used, dueAtto: data.dueAtto };
    default:
      return used;
  }
}

export const findStorageUsage = (em: EntityManager, tenantId: string) =>
  em.findOne(StorageUsage, { tenantId });

/** Tenants with something that was kept since before then and not metered, by their ids, after one of them. */
export async function tenantsToMeter(
  em: EntityManager,
  before: Date,
  { afterTenantId, limit }: { readonly afterTenantId: string; readonly limit: number },
): Promise<readonly string[]> {
  const rows = await em.find(
    StorageUsage,
    { unmeteredSince: { $lt: before }, tenantId: { $gt: afterTenantId } },
    { orderBy: { tenantId: 'asc' }, limit },
  );
  return rows.map(({ tenantId }) => tenantId);
}
