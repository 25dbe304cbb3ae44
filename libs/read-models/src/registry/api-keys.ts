import type { Projection } from '@astro/event-sourcing/projection';
import type { ApiKeyEvent, KeyOwner } from '@astro/messages/registry';
import { defineEntity, type EntityManager, type InferEntity } from '@mikro-orm/postgresql';

/**
 * API keys by the hash of their text, which is all that is ever stored. The index on the hash is not unique: a
 * second key with the same hash would otherwise stop the projection, and a projection never refuses a fact.
 */
export const ApiKey = defineEntity({
  name: 'ApiKey',
  schema: 'registry',
  tableName: 'api_keys',
  properties: p => ({
    keyId: p.text().primary(),
    owner: p.text().$type<KeyOwner>(),
    ownerId: p.text(),
    sha256: p.text().index(),
    label: p.text(),
    issuedAt: p.datetime(),
    revokedAt: p.datetime().nullable(),
  }),
});
export type ApiKey = InferEntity<typeof ApiKey>;

export const apiKeys: Projection<ApiKeyEvent, EntityManager> = {
  name: 'registry.api-keys',
  version: 1,
  tables: ['api_keys'],
  reads: ['registry.api-key'],
  async apply(em, { event: { type, data }, recordedAt }) {
    switch (type) {
      case 'ApiKeyIssued':
        // Issued anew by a repeated batch, a key that was revoked in the meantime stays revoked.
        return em.upsert(
          ApiKey,
          { ...data, issuedAt: recordedAt },
          { onConflictExcludeFields: ['revokedAt'] },
        );
      case 'ApiKeyRevoked':
        return em.nativeUpdate(ApiKey, { keyId: data.keyId, revokedAt: null }, { revokedAt: recordedAt });
    }
  },
};

/** The tenant's key, revoked or not; another's is as good as none. */
export const findApiKeyOfTenant = (em: EntityManager, tenantId: string, keyId: string) =>
  em.findOne(ApiKey, { keyId, owner: 'tenant', ownerId: tenantId });

/** The key with this hash, unless it was revoked. The oldest, should there be several. */
export const findApiKeyByHash = (em: EntityManager, sha256: string) =>
  em.findOne(ApiKey, { sha256, revokedAt: null }, { orderBy: { issuedAt: 'asc', keyId: 'asc' } });
