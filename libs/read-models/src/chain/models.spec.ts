import { expect, test } from '@jest/globals';
import { Fact } from '@astro/chain/logs/fact';
import { logOf, loggedEvents } from './any-log.fixture.js';
import { chainModels } from './models.js';

/** What no table tells, and why nobody needs it to. */
const untold: Readonly<Record<string, string>> = {
  'token.Approval': 'a wish: what comes of it is a transfer; wallets ask the chain for allowances',
  'token.DelegateChanged': 'whose votes count is asked of the chain, at the time of the proposal',
  'token.DelegateVotesChanged': 'the same, and each vote says its weight',
  'token.EIP712DomainChanged': 'never logged: the domain of the permits is fixed',
  'governor.EIP712DomainChanged': 'never logged: the domain of the ballots is fixed',
  'governor.LateQuorumVoteExtensionSet': 'a setting of the vote: proposals say when they end',
  'governor.ProposalThresholdSet': 'a setting of the vote, asked of the chain before proposing',
  'governor.QuorumNumeratorUpdated': 'a setting of the vote, asked of the chain',
  'governor.TimelockChange': 'one at the deployment; whether it is the right one the deployment verifies',
  'governor.VotingDelaySet': 'a setting of the vote: proposals say when they begin',
  'governor.VotingPeriodSet': 'a setting of the vote: proposals say when they end',
  'timelock.CallSalt': 'what makes two equal operations two; their ids differ already',
  'timelock.MinDelayChange': 'a setting: each operation says when it is ready',
};
/** Of each contract that has them. */
const untoldOfAll: Readonly<Record<string, string>> = {
  RoleAdminChanged: 'never logged but at the deployment, which verifies who administers',
  RoleGranted: 'who may do what is verified from the chain itself (foreignPowers), not from a copy of it',
  RoleRevoked: 'the same',
  Initialized: 'the code behind a proxy, which the timelock operation that changed it tells',
  Upgraded: 'the same',
};

const place = { block: 7, index: 3, time: new Date(0) };
const reasonOf = (contract: string, name: string) => untold[`${contract}.${name}`] ?? untoldOfAll[name];

test.each(loggedEvents.map(event => [`${event.contract}.${event.name}`, event] as const))(
  '%s reaches a table, or it is said why not',
  (name, event) => {
    const fact = Fact.of(logOf(event, place.block, place.index, () => 1))!;
    expect(fact.name).toBe(name);
    const isTold = chainModels.some(({ projection }) => projection.concerns(fact, place));
    expect({ isTold, reason: reasonOf(event.contract, event.name) }).toEqual(
      isTold ? { isTold, reason: undefined } : { isTold, reason: expect.any(String) },
    );
  },
);

test('nothing is excused that no contract logs', () => {
  const names = new Set(loggedEvents.map(({ contract, name }) => `${contract}.${name}`));
  expect(Object.keys(untold).filter(name => !names.has(name))).toEqual([]);
  const short = new Set(loggedEvents.map(({ name }) => name));
  expect(Object.keys(untoldOfAll).filter(name => !short.has(name))).toEqual([]);
});
