import type { Reactor } from '@astro/event-sourcing/reactor';
import type { OperatorEvent } from '@astro/messages/registry';
import type { PoolCommand } from '@astro/messages/scheduling';

/** What operators have in common keeps replicas of one task apart in the pool. */
export const followOperators = (poolId: string): Reactor<OperatorEvent, PoolCommand> => ({
  name: 'scheduling.follow-operators',
  reads: ['registry.operator'],

  react({ event: { type, data } }) {
    const to = { type: 'scheduling.pool', id: poolId } as const;
    switch (type) {
      case 'OperatorAffiliated': {
        const { operatorId, affiliation } = data;
        return [{ to, type: 'RelateOperator', data: { poolId, operatorId, affiliation } }];
      }
      case 'OperatorDisaffiliated':
        return [{ to, type: 'UnrelateOperator', data: { poolId, ...data } }];
      case 'OperatorRegistered':
        return [];
    }
  },
});
