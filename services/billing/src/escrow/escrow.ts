import { idIn } from '@astro/chain/payouts/ids';
import { accept, type Decider, type Decision } from '@astro/event-sourcing/decider';
import { structured } from '@astro/event-sourcing/snapshot-format';
import type {
  EscrowBlockFinal,
  EscrowCommand,
  EscrowEvent,
  EscrowFact,
  FeeScheduleSet,
  FollowBlock,
  QueueWithdrawal,
  WithdrawalQueued,
} from '@astro/messages/billing';
import { isFee, isSameFee, termsIn, type FeeTerms } from '../account/fee.js';
import { mayBeForgotten, nothingRemembered, remember, type Remembered } from '../account/remembered.js';

/** Withdrawals of all tenants that the chain has not paid. */
const MAX_OUTGOING = 4_096;
const MAX_REMEMBERED = 16_384;

type Block = Omit<EscrowBlockFinal, 'position'>;

/** Changed in place. */
export type Escrow = {
  /** Of the mirror's last event that made a difference here. */
  position: number;
  /** Blocks with facts that a reorganisation can still take back, oldest first. */
  pending: Block[];
  /** Whose address it is. */
  readonly ownerOf: Map<string, string>;
  /** The address of each owner that is in use. */
  readonly walletOf: Map<string, string>;
  /** Final facts of addresses that are nobody's yet, oldest first. */
  unassigned: EscrowFact[];
  /** Parameters as the last final block has them; undefined until it has set them. */
  feeBps: number | undefined;
  burnBps: number | undefined;
  validatorBps: number | undefined;
  /** Every fee that charges were made with, oldest first. */
  readonly schedules: (FeeTerms & Pick<FeeScheduleSet, 'since'>)[];
  /** Withdrawals to be paid, until the chain has done so finally, by their ids. */
  readonly outgoing: Map<string, WithdrawalQueued>;
  /** Withdrawals that were asked for. */
  readonly asked: Remembered<true>;
};

type EscrowDecision = Decision<EscrowEvent, never>;

/**
 * What the contract Escrow has logged, as far as money follows from it. Facts wait until their block is
 * final, and what belongs to an address until the address is somebody's. Its id is the chain's.
 */
export const escrow: Decider<Escrow, EscrowCommand, EscrowEvent, never> = {
  get initialState() {
    return {
      ...{ position: 0, pending: [], unassigned: [], schedules: [] },
      ...{ ownerOf: new Map(), walletOf: new Map(), feeBps: undefined, burnBps: undefined },
      validatorBps: undefined,
      ...{ outgoing: new Map(), asked: nothingRemembered<true>() },
    };
  },

  decide({ type, data }, state) {
    switch (type) {
      case 'FollowBlock':
        return data.position <= state.position ? accept() : followBlock(data, state);
      case 'FollowRevert': {
        const isSeen = state.pending.some(({ hash }) => hash === data.hash);
        return isSeen && data.position > state.position
          ? accept({ type: 'EscrowBlockReverted', data })
          : accept();
      }
      case 'FollowFinality': {
        if (data.position <= state.position) return accept();
        const ripe = state.pending.filter(({ number }) => number <= data.finalNumber);
        return accept(...finalised(data.position, ripe, state));
      }
      case 'RecogniseWallet': {
        const { address, ownerId } = data;
        if (state.ownerOf.has(address) && state.walletOf.get(ownerId) === address) return accept();
        const facts = state.unassigned.filter(fact => fact.address === address);
        return accept({ type: 'WalletRecognised', data: { address, ownerId, facts: owned(facts, ownerId) } });
      }
      case 'QueueWithdrawal':
        return queueWithdrawal(data, state);
      case 'DropWithdrawal': {
        const { withdrawalId, reason } = data;
        const queued = state.outgoing.get(withdrawalId);
        if (!queued) return accept();
        const { tenantId } = queued;
        return accept({ type: 'WithdrawalRefused', data: { tenantId, withdrawalId, reason } });
      }
    }
  },

  evolve(state, { type, data }) {
    switch (type) {
      case 'EscrowBlockSeen': {
        const { position, ...block } = data;
        state.position = position;
        state.pending.push(block);
        return state;
      }
      case 'EscrowBlockReverted':
        state.position = data.position;
        state.pending = state.pending.filter(({ hash }) => hash !== data.hash);
        return state;
      case 'EscrowBlockFinal':
        state.position = data.position;
        state.pending = state.pending.filter(({ hash }) => hash !== data.hash);
        for (const fact of data.facts) takeIn(state, fact);
        return state;
      case 'FeeScheduleSet':
        state.schedules.push({ ...termsIn(data), since: data.since });
        return state;
      case 'FeeScheduleRefused':
        return state;
      case 'WalletRecognised':
        state.ownerOf.set(data.address, data.ownerId);
        state.walletOf.set(data.ownerId, data.address);
        state.unassigned = state.unassigned.filter(({ address }) => address !== data.address);
        return state;
      case 'WithdrawalQueued': {
        const entry = { order: data.causePosition, weight: 1, value: true } as const;
        remember(state.asked, data.withdrawalId, entry, MAX_REMEMBERED);
        state.outgoing.set(data.withdrawalId, data);
        return state;
      }
      case 'WithdrawalRefused':
        state.outgoing.delete(data.withdrawalId);
        return state;
    }
  },

  snapshot: structured(3),
};

function followBlock({ final, ...block }: FollowBlock, state: Escrow): EscrowDecision {
  const { position, ...rest } = block;
  return final
    ? accept(...finalised(position, [rest], state))
    : accept({ type: 'EscrowBlockSeen', data: block });
}

/** Only the address that is in use now is paid: whoever holds an earlier one may not be the tenant any more. */
function queueWithdrawal(command: QueueWithdrawal, state: Escrow): EscrowDecision {
  const { tenantId, withdrawalId, address, causePosition } = command;
  if (state.asked.entries.has(withdrawalId)) return accept();
  const refused = (reason: string): EscrowDecision =>
    accept({ type: 'WithdrawalRefused', data: { tenantId, withdrawalId, reason } });
  if (mayBeForgotten(state.asked, withdrawalId, causePosition)) return refused('it comes too late');
  if (state.walletOf.get(tenantId) !== address) return refused("the address is not the tenant's wallet");
  if (state.outgoing.size >= MAX_OUTGOING) return refused('too many others wait for the chain');
  return accept({ type: 'WithdrawalQueued', data: command });
}

type Parameters = Pick<Escrow, 'feeBps' | 'burnBps' | 'validatorBps'>;

function finalised(position: number, blocks: readonly Block[], { ownerOf, ...state }: Escrow): EscrowEvent[] {
  let parameters: Parameters = state;
  return blocks.flatMap((block): EscrowEvent[] => {
    const facts = block.facts.map(fact => ({ ...fact, ownerId: ownerOf.get(fact.address) ?? '' }));
    const followed = { type: 'EscrowBlockFinal', data: { ...block, position, facts } } as const;
    const before = termsOf(parameters);
    parameters = parametersAfter(block, parameters);
    const terms = termsOf(parameters);
    const isSame = terms === undefined || (before !== undefined && isSameFee(terms, before));
    return isSame ? [followed] : [followed, scheduleOf(block, terms)];
  });
}

/** What the block sets first and changes again was never in force. */
function parametersAfter({ facts }: Block, before: Parameters): Parameters {
  const last = (kind: EscrowFact['kind']) => facts.findLast(fact => fact.kind === kind)?.bps;
  return {
    feeBps: last('fee_set') ?? before.feeBps,
    burnBps: last('burn_share_set') ?? before.burnBps,
    validatorBps: last('validator_share_set') ?? before.validatorBps,
  };
}

/** Undefined before the chain has set both; contracts from before validators had a share never tell of one. */
function termsOf({ feeBps, burnBps, validatorBps = 0 }: Parameters): FeeTerms | undefined {
  return feeBps === undefined || burnBps === undefined
    ? undefined
    : termsIn({ feeBps, burnBps, validatorBps });
}

const scheduleOf = ({ time: since, number }: Block, terms: FeeTerms): EscrowEvent =>
  isFee(terms)
    ? { type: 'FeeScheduleSet', data: { ...terms, since, number } }
    : { type: 'FeeScheduleRefused', data: { ...terms, number } };

function takeIn(state: Escrow, fact: EscrowFact): void {
  switch (fact.kind) {
    case 'fee_set':
      state.feeBps = fact.bps;
      return;
    case 'burn_share_set':
      state.burnBps = fact.bps;
      return;
    case 'validator_share_set':
      state.validatorBps = fact.bps;
      return;
    case 'unspecified':
    case 'settled':
    case 'claimed':
      return;
    case 'refunded':
      state.outgoing.delete(idIn(fact.reference) ?? '');
      if (fact.ownerId === '') state.unassigned.push(fact);
      return;
    case 'deposited':
    case 'withdrawal_announced':
    case 'withdrawn':
      if (fact.ownerId === '') state.unassigned.push(fact);
  }
}

const owned = (facts: readonly EscrowFact[], ownerId: string): readonly EscrowFact[] =>
  facts.map(fact => ({ ...fact, ownerId }));
