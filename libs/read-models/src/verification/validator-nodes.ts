import { subjectOf } from '@astro/chain/staking/subject';
import type { Projection } from '@astro/event-sourcing/projection';
import type { NodeEvent, Offer } from '@astro/messages/registry';
import { defineEntity, type EntityManager, type InferEntity } from '@mikro-orm/postgresql';
import { folding } from '../fold.js';

/** Nodes that offer to validate: each is a validator once it has a stake. */
export const ValidatorNode = defineEntity({
  name: 'ValidatorNode',
  schema: 'verification',
  tableName: 'validator_nodes',
  properties: p => ({
    /** Id of the node, and of the validator. */
    nodeId: p.text().primary(),
    operatorId: p.text().index(),
    /** What its stake is registered under. */
    subject: p.text().index(),
    runtimes: p.json<readonly string[]>(),
    /** It offers to; not what it once offered. */
    validates: p.boolean(),
    isOnline: p.boolean(),
    isRevoked: p.boolean(),
    enrolledAt: p.datetime(),
    position: p.bigint('number'),
  }),
});
export type ValidatorNode = InferEntity<typeof ValidatorNode>;

export const validatorNodes: Projection<NodeEvent, EntityManager> = {
  name: 'verification.validator-nodes',
  version: 1,
  tables: ['validator_nodes'],
  reads: ['registry.node'],
  ...folding<NodeEvent, ValidatorNode>(ValidatorNode, {
    keysOf({ type, data }) {
      switch (type) {
        case 'NodeEnrolled':
        case 'NodeCameOnline':
          return [data.offer.nodeId];
        case 'NodeWentOffline':
        case 'NodeRevoked':
        case 'NodeReinstated':
          return [data.nodeId];
      }
      return [];
    },
    evolve(row, { event: { type, data }, position, recordedAt }) {
      if (row && position <= row.position) return row;
      if (type === 'NodeEnrolled') {
        if (!row && data.offer.validates !== true) return undefined;
        const first = { isOnline: false, isRevoked: false, enrolledAt: recordedAt };
        return { ...(row ?? first), ...offered(data.offer), isOnline: false, position };
      }
      if (row === undefined) return undefined;
      switch (type) {
        case 'NodeCameOnline':
          return { ...row, ...offered(data.offer), isOnline: true, position };
        case 'NodeWentOffline':
          return { ...row, isOnline: false, position };
        case 'NodeRevoked':
          return { ...row, isRevoked: true, position };
        case 'NodeReinstated':
          return { ...row, isRevoked: false, position };
      }
      return row;
    },
  }),
};

const offered = ({ nodeId, operatorId, inventory, validates = false }: Offer) => ({
  ...{ nodeId, operatorId, subject: subjectOf(nodeId), runtimes: inventory.runtimes, validates },
});
