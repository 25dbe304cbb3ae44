import { accept, reject, type Decider, type Decision } from '@astro/event-sourcing/decider';
import type {
  AffiliateOperator,
  OperatorCommand,
  OperatorEvent,
  RegisterOperator,
} from '@astro/messages/registry';
import { nameProblem } from '../name.js';
import {
  affiliationProblem,
  endedBy,
  isFresh,
  nameOf,
  seen,
  without,
  type Affiliations,
} from './affiliation-rules.js';

export type OperatorRejection =
  'NameIsInvalid' | 'OperatorExists' | 'OperatorNotRegistered' | 'AffiliationIsInvalid';

export type Operator =
  | { readonly status: 'absent' }
  | { readonly status: 'registered'; readonly name: string; readonly affiliations: Affiliations };
type Registered = Exclude<Operator, { readonly status: 'absent' }>;
type OperatorDecision = Decision<OperatorEvent, OperatorRejection>;

/** Who brings nodes to the market and is paid for their work, and what it has in common with others. */
export const operator: Decider<Operator, OperatorCommand, OperatorEvent, OperatorRejection> = {
  initialState: { status: 'absent' },

  decide({ type, data }, operator) {
    if (type === 'RegisterOperator') return register(data, operator);
    if (operator.status === 'absent') return reject('OperatorNotRegistered', data.operatorId);
    switch (type) {
      case 'AffiliateOperator':
        return affiliate(data, operator);
      case 'DisaffiliateOperator':
        return operator.affiliations.has(nameOf(data.affiliation))
          ? accept({ type: 'OperatorDisaffiliated', data })
          : accept();
    }
  },

  evolve(operator, { type, data }) {
    switch (type) {
      case 'OperatorRegistered':
        return { status: 'registered', name: data.name, affiliations: new Map() };
      case 'OperatorAffiliated': {
        const known = registered(operator, data.operatorId);
        return { ...known, affiliations: seen(known.affiliations, data.affiliation, data.seenAt) };
      }
      case 'OperatorDisaffiliated': {
        const known = registered(operator, data.operatorId);
        return { ...known, affiliations: without(known.affiliations, data.affiliation) };
      }
    }
  },
};

function register(data: RegisterOperator, operator: Operator): OperatorDecision {
  if (operator.status === 'registered') {
    return operator.name === data.name ? accept() : reject('OperatorExists', `name: is ${operator.name}`);
  }
  const problem = nameProblem('name', data.name);
  return problem === undefined
    ? accept({ type: 'OperatorRegistered', data })
    : reject('NameIsInvalid', problem);
}

/** Told in full, so that whoever follows needs no rule of his own for what ends. */
function affiliate(data: AffiliateOperator, { affiliations }: Registered): OperatorDecision {
  const { operatorId, affiliation, at: seenAt } = data;
  const problem = affiliationProblem(affiliation);
  if (problem !== undefined) return reject('AffiliationIsInvalid', problem);
  if (isFresh(affiliations, affiliation, seenAt)) return accept();
  const ended = endedBy(affiliations, affiliation, seenAt).map((left): OperatorEvent => ({
    type: 'OperatorDisaffiliated',
    data: { operatorId, affiliation: left },
  }));
  return accept({ type: 'OperatorAffiliated', data: { operatorId, affiliation, seenAt } }, ...ended);
}

function registered(operator: Operator, operatorId: string): Registered {
  if (operator.status === 'absent')
    throw new Error(`the history relates ${operatorId} before it was registered`);
  return operator;
}
