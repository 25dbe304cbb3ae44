import type { Projection } from '@astro/event-sourcing/projection';
import type { OperatorEvent } from '@astro/messages/registry';
import { defineEntity, type EntityManager, type InferEntity } from '@mikro-orm/postgresql';

/** Who runs nodes and earns with them. */
export const Operator = defineEntity({
  name: 'Operator',
  schema: 'registry',
  tableName: 'operators',
  properties: p => ({
    operatorId: p.text().primary(),
    name: p.text(),
    registeredAt: p.datetime(),
  }),
});
export type Operator = InferEntity<typeof Operator>;

export const operators: Projection<OperatorEvent, EntityManager> = {
  name: 'registry.operators',
  version: 1,
  tables: ['operators'],
  reads: ['registry.operator'],
  async apply(em, { event: { type, data }, recordedAt: registeredAt }) {
    switch (type) {
      case 'OperatorRegistered':
        return em.upsert(Operator, { ...data, registeredAt });
    }
  },
};

export const findOperator = (em: EntityManager, operatorId: string) => em.findOne(Operator, { operatorId });
