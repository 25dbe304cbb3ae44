import { Atto } from '@astro/postgres/atto';
import { defineEntity, type EntityManager, type InferEntity } from '@mikro-orm/postgresql';
import type { Fact } from '@astro/chain/logs/fact';
import { asTheyAre, pageAsOf, readAsOf } from './as-of.js';
import { filling, mirrored, undoOf, type MirroredTable } from './mirrored.js';
import type { PageQuery } from '../page.js';

export type Support = 'against' | 'for' | 'abstain';

/** What is put to the vote, and how it stands. */
export const Proposal = defineEntity({
  name: 'Proposal',
  schema: 'chain',
  tableName: 'proposals',
  properties: p => ({
    proposalId: p.text().primary(),
    proposer: p.text(),
    description: p.text(),
    /** Seconds since 1970. */
    voteStart: p.bigint('number'),
    voteEnd: p.bigint('number'),
    forVotes: p.type(Atto),
    againstVotes: p.type(Atto),
    abstainVotes: p.type(Atto),
    status: p.text().$type<'proposed' | 'queued' | 'executed' | 'cancelled'>(),
    asOfBlock: p.bigint('number'),
    isFinal: p.boolean(),
  }),
});
export type Proposal = InferEntity<typeof Proposal>;
export const ProposalUndo = undoOf('proposals');

/** Who voted how, and with what weight. */
export const Vote = defineEntity({
  name: 'Vote',
  schema: 'chain',
  tableName: 'votes',
  properties: p => ({
    /** `<proposal>/<voter>` */
    id: p.text().primary(),
    proposalId: p.text(),
    voter: p.text(),
    support: p.text().$type<Support>(),
    weight: p.type(Atto),
    reason: p.text(),
    asOfBlock: p.bigint('number'),
    isFinal: p.boolean(),
  }),
});
export type Vote = InferEntity<typeof Vote>;

/** Each parameter of the protocol as it is. */
export const Parameter = defineEntity({
  name: 'Parameter',
  schema: 'chain',
  tableName: 'parameters',
  properties: p => ({
    /** Its place in the enumeration of the contract. */
    parameter: p.text().primary(),
    value: p.type(Atto),
    asOfBlock: p.bigint('number'),
    isFinal: p.boolean(),
  }),
});
export type Parameter = InferEntity<typeof Parameter>;
export const ParameterUndo = undoOf('parameters');

/** More than the contract has. */
const maxParameters = 200;
/** In the order of OpenZeppelin's GovernorCountingSimple. */
const supports: readonly Support[] = ['against', 'for', 'abstain'];
const isVote = (fact: Fact): boolean =>
  fact.name === 'governor.VoteCast' || fact.name === 'governor.VoteCastWithParams';
const supportIn = (fact: Fact): Support => supports[fact.number('support')]!;
const ends: Readonly<Record<string, Proposal['status']>> = {
  'governor.ProposalQueued': 'queued',
  'governor.ProposalExecuted': 'executed',
  'governor.ProposalCanceled': 'cancelled',
};

const proposals: MirroredTable<Proposal> = {
  entity: Proposal,
  undo: ProposalUndo,
  keysOf: fact =>
    isVote(fact) || /^governor\.Proposal(Created|Queued|Executed|Canceled|Extended)$/.test(fact.name)
      ? [`${fact.amount('proposalId')}`]
      : [],
  evolve(row, fact, proposalId) {
    if (fact.name === 'governor.ProposalCreated')
      return {
        ...{ proposalId, proposer: fact.address('proposer'), description: fact.text('description') },
        ...{ voteStart: fact.number('voteStart'), voteEnd: fact.number('voteEnd') },
        ...{ forVotes: 0n, againstVotes: 0n, abstainVotes: 0n, status: 'proposed' as const },
      };
    if (row === undefined) return undefined;
    const status = ends[fact.name];
    if (status) return { ...row, status };
    if (fact.name === 'governor.ProposalExtended')
      return { ...row, voteEnd: fact.number('extendedDeadline') };
    const tally = `${supportIn(fact)}Votes` as const;
    return { ...row, [tally]: row[tally] + fact.amount('weight') };
  },
};

const votes: MirroredTable<Vote> = {
  entity: Vote,
  keysOf: fact => (isVote(fact) ? [`${fact.amount('proposalId')}/${fact.address('voter')}`] : []),
  evolve: (_row, fact, id) => ({
    id,
    proposalId: `${fact.amount('proposalId')}`,
    voter: fact.address('voter'),
    support: supportIn(fact),
    weight: fact.amount('weight'),
    reason: fact.text('reason'),
  }),
};

const parameters: MirroredTable<Parameter> = {
  entity: Parameter,
  undo: ParameterUndo,
  keysOf: fact => (fact.name === 'parameters.ParameterSet' ? [`${fact.amount('parameter')}`] : []),
  evolve: (_row, fact, parameter) => ({ parameter, value: fact.amount('to') }),
};

export const governance = mirrored('chain.governance', [
  filling(proposals),
  filling(votes),
  filling(parameters),
]);

/** In the order of their ids. @throws InvalidCursor */
export const pageOfProposals = (em: EntityManager, query: PageQuery) =>
  pageAsOf(em, governance.head, Proposal, query, {}, asTheyAre);

export const findProposal = (em: EntityManager, proposalId: string) =>
  readAsOf(em, governance.head, within => within.find(Proposal, { proposalId }));

/** In the order of the voters. @throws InvalidCursor */
export const pageOfVotes = (em: EntityManager, proposalId: string, query: PageQuery) =>
  pageAsOf(em, governance.head, Vote, query, { proposalId }, asTheyAre);

/** Every parameter as it is. */
export const parametersNow = (em: EntityManager) =>
  readAsOf(em, governance.head, within => within.find(Parameter, {}, { limit: maxParameters }));
