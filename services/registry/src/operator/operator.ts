import { accept, reject, type Decider } from '@astro/event-sourcing/decider';
import type { OperatorCommand, OperatorEvent } from '@astro/messages/registry';
import { nameProblem } from '../name.js';

export type OperatorRejection = 'NameIsInvalid' | 'OperatorExists';

export type Operator =
  { readonly status: 'absent' } | { readonly status: 'registered'; readonly name: string };

/** Who brings nodes to the market and is paid for their work. */
export const operator: Decider<Operator, OperatorCommand, OperatorEvent, OperatorRejection> = {
  initialState: { status: 'absent' },

  decide({ data }, operator) {
    if (operator.status === 'registered') {
      return operator.name === data.name ? accept() : reject('OperatorExists', `name: is ${operator.name}`);
    }
    const problem = nameProblem('name', data.name);
    return problem === undefined
      ? accept({ type: 'OperatorRegistered', data })
      : reject('NameIsInvalid', problem);
  },

  evolve: (_operator, { data }) => ({ status: 'registered', name: data.name }),
};
