import type { Projection } from '@astro/event-sourcing/projection';
import type { AffiliationKind, OperatorEvent } from '@astro/messages/registry';
import { defineEntity, type EntityManager, type InferEntity } from '@mikro-orm/postgresql';

/** What each operator has in common with others. */
export const Affiliation = defineEntity({
  name: 'Affiliation',
  schema: 'registry',
  tableName: 'affiliations',
  indexes: [{ properties: ['kind', 'key'] }],
  properties: p => ({
    operatorId: p.text().primary(),
    kind: p.text().$type<AffiliationKind>().primary(),
    /** For nobody's eyes: it says who belongs together. */
    key: p.text().primary(),
    seenAt: p.datetime(),
  }),
});
export type Affiliation = InferEntity<typeof Affiliation>;

export const affiliations: Projection<OperatorEvent, EntityManager> = {
  name: 'registry.affiliations',
  version: 1,
  tables: ['affiliations'],
  reads: ['registry.operator'],
  async apply(em, { event: { type, data } }) {
    switch (type) {
      case 'OperatorAffiliated': {
        const { operatorId, affiliation, seenAt } = data;
        return em.upsert(Affiliation, { operatorId, ...affiliation, seenAt });
      }
      case 'OperatorDisaffiliated':
        return em.nativeDelete(Affiliation, { operatorId: data.operatorId, ...data.affiliation });
      case 'OperatorRegistered':
        return;
    }
  },
};

export type SharedAffiliation = Pick<Affiliation, 'kind' | 'seenAt'> & {
  /** Operators beside this one that have it too. */
  readonly others: number;
};

/** Of one operator, without the keys. An operator has few: the decider limits them. */
export async function affiliationsOf(
  em: EntityManager,
  operatorId: string,
): Promise<readonly SharedAffiliation[]> {
  const own = await em.find(
    Affiliation,
    { operatorId },
    { orderBy: { kind: 'asc', seenAt: 'asc', key: 'asc' } },
  );
  return Promise.all(
    own.map(async ({ kind, key, seenAt }) => ({
      kind,
      seenAt,
      others: (await em.count(Affiliation, { kind, key })) - 1,
    })),
  );
}
