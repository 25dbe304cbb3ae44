import type { Projection } from '@astro/event-sourcing/projection';
import type { TenantEvent } from '@astro/messages/registry';
import { defineEntity, type EntityManager, type InferEntity } from '@mikro-orm/postgresql';

/** Who submits jobs and pays for them. */
export const Tenant = defineEntity({
  name: 'Tenant',
  schema: 'registry',
  tableName: 'tenants',
  properties: p => ({
    tenantId: p.text().primary(),
    name: p.text(),
    registeredAt: p.datetime(),
  }),
});
export type Tenant = InferEntity<typeof Tenant>;

export const tenants: Projection<TenantEvent, EntityManager> = {
  name: 'registry.tenants',
  version: 1,
  tables: ['tenants'],
  reads: ['registry.tenant'],
  async apply(em, { event: { type, data }, recordedAt: registeredAt }) {
    switch (type) {
      case 'TenantRegistered':
        return em.upsert(Tenant, { ...data, registeredAt });
    }
  },
};

export const findTenant = (em: EntityManager, tenantId: string) => em.findOne(Tenant, { tenantId });
