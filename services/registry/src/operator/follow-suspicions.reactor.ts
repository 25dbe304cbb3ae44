import type { Reactor } from '@astro/event-sourcing/reactor';
import type { OperatorCommand } from '@astro/messages/registry';
import type { CollusionEvent } from '@astro/messages/verification';

/** Operators that are taken for one have their group in common, for as long as they are. */
export const followSuspicions: Reactor<CollusionEvent, OperatorCommand> = {
  name: 'registry.follow-suspicions',
  reads: ['verification.collusion'],

  react({ event: { type, data } }) {
    const to = (id: string) => ({ type: 'registry.operator', id }) as const;
    switch (type) {
      case 'OperatorsSuspected': {
        const affiliation = { kind: 'collusion', key: data.groupId } as const;
        return data.operators.map(operatorId => ({
          to: to(operatorId),
          type: 'AffiliateOperator',
          data: { operatorId, affiliation, at: data.suspectedAt },
        }));
      }
      case 'SuspicionLifted': {
        const affiliation = { kind: 'collusion', key: data.groupId } as const;
        return data.operators.map(operatorId => ({
          to: to(operatorId),
          type: 'DisaffiliateOperator',
          data: { operatorId, affiliation },
        }));
      }
      case 'AgreementsNoted':
        return [];
    }
  },
};
