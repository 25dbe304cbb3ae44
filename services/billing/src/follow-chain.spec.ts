import { expect, test } from '@jest/globals';
import { feeParameters } from '@astro/chain/escrow/calls';
import { interfaces } from '@astro/chain/logs/fact';
import type { Recorded } from '@astro/event-sourcing/recorded';
import type { EscrowFact } from '@astro/messages/billing';
import type { MirrorEvent } from '@astro/messages/chain';
import { followChain } from './follow-chain.reactor.js';

const hash = `0x${'ab'.repeat(32)}`;
const bytesOf = (hex: string) => Buffer.from(hex.slice(2), 'hex');

/** What billing is told when the contract logs this. */
function factsOf(
  contract: 'escrow' | 'parameters',
  name: string,
  values: readonly unknown[],
): readonly EscrowFact[] {
  const { topics, data } = interfaces[contract].encodeEventLog(name, [...values]);
  const log = {
    ...{ contract, index: 3, transactionHash: bytesOf(hash) },
    ...{ topics: topics.map(bytesOf), data: bytesOf(data) },
  };
  const block = { number: 7, hash, parentHash: hash, time: new Date(1_000), final: true, logs: [log] };
  const recorded: Recorded<MirrorEvent> = {
    ...{ id: 'evt_1', aggregate: { type: 'chain.mirror', id: '1' }, position: 9 },
    ...{ event: { type: 'BlockIndexed', data: block }, recordedAt: new Date(0) },
    metadata: { correlationId: 'c', causationId: 'c', actor: 'service:chain-indexer' },
  };
  return followChain
    .react(recorded)
    .flatMap(command => (command.type === 'FollowBlock' ? command.data.facts : []));
}

test('what validators have of a batch is what the others leave of its gross', () => {
  const settled = (toTreasury: bigint) =>
    factsOf('escrow', 'Settled', [hash, hash, 1_000n, 975n, 5n, toTreasury]);
  expect(settled(12n)).toMatchObject([
    { kind: 'settled', amountAtto: 975n, burnedAtto: 5n, toTreasuryAtto: 12n, toValidatorsAtto: 8n },
  ]);
  expect(settled(20n)[0]).not.toHaveProperty('toValidatorsAtto');
});

test.each([
  ['fee', feeParameters.feeBps, 'fee_set'],
  ['burned share', feeParameters.burnBps, 'burn_share_set'],
  ['share of validators', feeParameters.validatorBps, 'validator_share_set'],
])('a change of the %s is followed, by its place in the contract', (_what, parameter, kind) => {
  expect(factsOf('parameters', 'ParameterSet', [parameter, 1n, 300n])).toMatchObject([{ kind, bps: 300 }]);
});

test('other parameters have no business with money', () => {
  expect(factsOf('parameters', 'ParameterSet', [2, 1n, 300n])).toEqual([]);
});
