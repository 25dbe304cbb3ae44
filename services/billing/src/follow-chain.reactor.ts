import { feeParameters } from '@astro/chain/escrow/calls';
import { Fact } from '@astro/chain/logs/fact';
import type { Reactor } from '@astro/event-sourcing/reactor';
import type { EscrowCommand, EscrowFact } from '@astro/messages/billing';
import type { Log, MirrorEvent } from '@astro/messages/chain';

/** Hands on what the escrow and the fee's parameters have logged; whether it counts is not decided here. */
export const followChain: Reactor<MirrorEvent, EscrowCommand> = {
  name: 'billing.follow-chain',
  reads: ['chain.mirror'],

  react({ event: { type, data }, position, aggregate: { id } }) {
    const to = { type: 'billing.escrow', id } as const;
    switch (type) {
      case 'BlockIndexed': {
        const { number, hash, time, final } = data;
        const facts = data.logs.flatMap(factsIn);
        if (facts.length === 0) return [];
        return [{ to, type: 'FollowBlock', data: { position, number, hash, time, final, facts } }];
      }
      case 'BlockReverted': {
        const { number, hash } = data;
        return [{ to, type: 'FollowRevert', data: { position, number, hash } }];
      }
      case 'HeadFollowed':
        return [{ to, type: 'FollowFinality', data: { position, finalNumber: data.finalNumber } }];
    }
  },
};

function factsIn(log: Log): readonly EscrowFact[] {
  const fact = Fact.of(log);
  const said = fact && whatIsSaidBy(fact);
  if (!said) return [];
  const transactionHash = `0x${Buffer.from(log.transactionHash).toString('hex')}`;
  return [{ ...silent, ...said, transactionHash, logIndex: log.index }];
}

function whatIsSaidBy(fact: Fact): (Pick<EscrowFact, 'kind'> & Partial<EscrowFact>) | undefined {
  const tenant = () => ({ address: fact.address('tenant'), amountAtto: fact.amount('amount') });
  switch (fact.name) {
    case 'escrow.Deposited':
      return { kind: 'deposited', ...tenant() };
    case 'escrow.Refunded':
      return { kind: 'refunded', ...tenant(), reference: fact.bytes32('reason') };
    case 'escrow.WithdrawalAnnounced':
      return { kind: 'withdrawal_announced', ...tenant() };
    case 'escrow.Withdrawn':
      return { kind: 'withdrawn', ...tenant() };
    case 'escrow.Settled':
      return settledIn(fact);
    case 'escrow.Claimed':
      return {
        ...{ kind: 'claimed', reference: fact.bytes32('batch'), index: fact.number('index') },
        ...{ address: fact.address('account'), amountAtto: fact.amount('amount') },
      };
    case 'parameters.ParameterSet':
      return feeIn(fact);
  }
  return undefined;
}

/** What validators have is not logged by itself: it is what the others leave of the gross. */
function settledIn(fact: Fact): Pick<EscrowFact, 'kind'> & Partial<EscrowFact> {
  const [amountAtto, burnedAtto] = [fact.amount('net'), fact.amount('burned')];
  const toTreasuryAtto = fact.amount('toTreasury');
  const toValidatorsAtto = fact.amount('gross') - amountAtto - burnedAtto - toTreasuryAtto;
  return {
    ...{ kind: 'settled', reference: fact.bytes32('batch'), root: fact.bytes32('root') },
    ...{ amountAtto, burnedAtto, toTreasuryAtto },
    ...(toValidatorsAtto > 0n && { toValidatorsAtto }),
  };
}

function feeIn(fact: Fact): Pick<EscrowFact, 'kind' | 'bps'> | undefined {
  switch (fact.number('parameter')) {
    case feeParameters.feeBps:
      return { kind: 'fee_set', bps: fact.number('to') };
    case feeParameters.burnBps:
      return { kind: 'burn_share_set', bps: fact.number('to') };
    case feeParameters.validatorBps:
      return { kind: 'validator_share_set', bps: fact.number('to') };
  }
  return undefined;
}

const silent = {
  ...{ address: '', amountAtto: 0n, burnedAtto: 0n, toTreasuryAtto: 0n },
  ...{ reference: '', root: '', index: 0, bps: 0, ownerId: '' },
} as const;
