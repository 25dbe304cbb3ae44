import { accept, reject, type Decider, type Decision } from '@astro/event-sourcing/decider';
import { structured } from '@astro/event-sourcing/snapshot-format';
import type {
  BatchPayout,
  BatchSealed,
  ConfirmBatch,
  ConfirmClaim,
  Difference,
  HaltSettlement,
  SealBatch,
  SettlementCommand,
  SettlementEvent,
  Share,
} from '@astro/messages/billing';
import {
  escrowCustody,
  operatorAccount,
  platformBurned,
  platformFees,
  platformValidators,
} from '@astro/messages/ledger-accounts';
import { isSameFee, termsIn, type FeeTerms } from '../account/fee.js';
import { batchIdOf, contentOf, MAX_PAYOUTS, MAX_TENANTS, treeOf, type Totals } from './batch.js';
import { shareKey, together } from './share.js';

/** Differences that somebody has explained; one that is forgotten stops settlement again. */
export const MAX_EXPLAINED = 1_024;

export type SettlementRejection =
  | 'SettlementIsHalted'
  | 'BatchIsOpen'
  | 'RangeIsNotNext'
  | 'RangeIsInvalid'
  | 'SharesAreOfAnotherFee'
  | 'SharesAreInvalid'
  | 'TooManyShares'
  | 'BatchNotFound'
  | 'BatchDiffersFromChain'
  | 'BatchIsNotSettled'
  | 'PayoutNotFound'
  | 'PayoutDiffersFromChain'
  | 'ReasonIsMissing';

/** A batch whose payouts have not all been claimed. */
export type OpenBatch = Totals & {
  readonly root: string;
  readonly payouts: readonly BatchPayout[];
  readonly isSettled: boolean;
  /** What the transaction needs beside the root and the net. */
  readonly chargedAt: Date;
  readonly debits: BatchSealed['debits'];
  readonly claimed: Set<number>;
};

/** Changed in place: batches and shares that wait are many. */
export type Settlement = {
  /** Every charge up to this position is in a batch, or held back. */
  sealedTo: number;
  batches: number;
  /** The batch that the chain has not settled yet; the next one waits for it. */
  unsettled: string | undefined;
  readonly open: Map<string, OpenBatch>;
  readonly done: Set<string>;
  /** Shares that wait for a wallet, by their keys. */
  readonly waiting: Map<string, Share>;
  halted: readonly Difference[] | undefined;
  /** By how much what somebody has explained differs, by what it is called; the newest last. */
  readonly explained: Map<string, bigint>;
};

type SettlementDecision = Decision<SettlementEvent, SettlementRejection>;

/**
 * Charges on their way to the chain: each position of the ledger's charges is in one batch, because a batch
 * begins where the one before ended. Its id is the chain's.
 */
export const settlement: Decider<Settlement, SettlementCommand, SettlementEvent, SettlementRejection> = {
  get initialState() {
    return {
      ...{ sealedTo: 0, batches: 0, unsettled: undefined, halted: undefined },
      ...{ open: new Map(), done: new Set<string>(), waiting: new Map(), explained: new Map() },
    };
  },

  decide({ type, data }, state) {
    switch (type) {
      case 'SealBatch':
        return seal(data, state);
      case 'ConfirmBatch':
        return confirm(data, state);
      case 'ConfirmClaim':
        return claim(data, state);
      case 'HaltSettlement':
        return halt(data, state);
      case 'ResumeSettlement':
        if (data.reason.trim() === '') return reject('ReasonIsMissing', 'reason: says why it may go on');
        if (state.halted === undefined) return accept();
        return accept({ type: 'SettlementResumed', data: { ...data, differences: state.halted } });
    }
  },

  evolve(state, { type, data }) {
    switch (type) {
      case 'BatchSealed':
        return sealed(state, data);
      case 'SharesHeldBack':
        state.sealedTo = data.toPosition;
        holdBack(state, data.heldBack);
        return state;
      case 'BatchSettled': {
        const batch = state.open.get(data.batchId)!;
        state.open.set(data.batchId, { ...batch, isSettled: true });
        state.unsettled = undefined;
        return state;
      }
      case 'PayoutClaimed': {
        const { claimed, payouts } = state.open.get(data.batchId)!;
        claimed.add(data.index);
        if (claimed.size === payouts.length) {
          state.open.delete(data.batchId);
          state.done.add(data.batchId);
        }
        return state;
      }
      case 'SettlementHalted':
        state.halted = data.differences;
        return state;
      case 'SettlementResumed':
        state.halted = undefined;
        for (const difference of data.differences) explain(state, difference);
        return state;
    }
  },

  snapshot: structured(3),
};

function seal(command: SealBatch, state: Settlement): SettlementDecision {
  const { chainId, fromPosition, toPosition, chargedAt, shares } = command;
  // It was sealed before: the command is an old one.
  if (toPosition < state.sealedTo || (toPosition === state.sealedTo && toPosition > fromPosition))
    return accept();
  const problem = sealProblem(command, state);
  if (problem) return problem;
  const terms = termsIn(command);
  const wallets = new Map(command.wallets.map(({ ownerId, address }) => [ownerId, address]));
  const isPayable = ({ tenantId, operatorId }: Share) => wallets.has(tenantId) && wallets.has(operatorId);
  const heldBack = shares.filter(share => !isPayable(share));
  const now = shares.filter(isPayable);
  const takenUp = takenUpOf(state, now, terms, isPayable);
  const all = [...now, ...takenUp];
  const range = { fromPosition, toPosition, heldBack };
  if (all.every(({ netAtto }) => netAtto === 0n)) {
    return shares.length === 0 ? accept() : accept({ type: 'SharesHeldBack', data: range });
  }
  const number = state.batches + 1;
  const batchId = batchIdOf(chainId, number);
  const content = contentOf(all, terms, wallets);
  const { root } = treeOf(batchId, content.payouts);
  const about = { batchId, chainId, number, ...range, ...terms, chargedAt };
  return accept({ type: 'BatchSealed', data: { ...about, ...content, root, takenUp } });
}

function sealProblem(command: SealBatch, state: Settlement): SettlementDecision | undefined {
  const { fromPosition, toPosition, shares } = command;
  if (state.halted !== undefined) return reject('SettlementIsHalted');
  if (state.unsettled !== undefined)
    return reject('BatchIsOpen', `${state.unsettled} has to be settled by the chain first`);
  if (fromPosition !== state.sealedTo)
    return reject('RangeIsNotNext', `fromPosition: must be ${state.sealedTo}, not ${fromPosition}`);
  if (toPosition < fromPosition || (toPosition === fromPosition && shares.length > 0))
    return reject('RangeIsInvalid', `toPosition: ${toPosition} does not lie after ${fromPosition}`);
  const stray = shares.find(share => !isSameFee(share, command));
  if (stray) return reject('SharesAreOfAnotherFee', `shares: ${shareKey(stray)}`);
  const invalid = shares.find(isBelowNothing);
  if (invalid) return reject('SharesAreInvalid', `shares: ${shareKey(invalid)}`);
  if (new Set(shares.map(shareKey)).size < shares.length)
    return reject('SharesAreInvalid', 'shares: one twice');
  const size = sizeOf(shares);
  return size.tenants > MAX_TENANTS || size.operators > MAX_PAYOUTS || shares.length > MAX_PAYOUTS
    ? reject('TooManyShares', `shares: ${size.tenants} tenants, ${size.operators} operators`)
    : undefined;
}

const isBelowNothing = ({ netAtto, feeAtto, burnedAtto, validatorsAtto = 0n }: Share): boolean =>
  [netAtto, feeAtto, burnedAtto, validatorsAtto].some(amountAtto => amountAtto < 0n);

/** What was held back and can be paid now, as much as the batch has room for; the longest waiting first. */
function takenUpOf(
  { waiting }: Settlement,
  now: readonly Share[],
  terms: FeeTerms,
  isPayable: (share: Share) => boolean,
): readonly Share[] {
  const taken: Share[] = [];
  const [tenants, operators] = [new Set<string>(), new Set<string>()];
  for (const share of now) {
    tenants.add(share.tenantId);
    operators.add(share.operatorId);
  }
  for (const share of waiting.values()) {
    if (!isSameFee(share, terms) || !isPayable(share)) continue;
    const isFull =
      now.length + taken.length >= MAX_PAYOUTS ||
      (tenants.size === MAX_TENANTS && !tenants.has(share.tenantId));
    if (isFull) continue;
    tenants.add(share.tenantId);
    operators.add(share.operatorId);
    taken.push(share);
  }
  return taken;
}

const sizeOf = (shares: readonly Share[]) => ({
  tenants: new Set(shares.map(({ tenantId }) => tenantId)).size,
  operators: new Set(shares.map(({ operatorId }) => operatorId)).size,
});

/** The chain is believed only as far as it settled what was sealed. */
function confirm(command: ConfirmBatch, state: Settlement): SettlementDecision {
  const { batchId, transactionHash } = command;
  const batch = state.open.get(batchId);
  if (!batch) return state.done.has(batchId) ? accept() : reject('BatchNotFound', `batchId: ${batchId}`);
  if (batch.isSettled) return accept();
  const { burnedAtto, toTreasuryAtto, toValidatorsAtto = 0n } = batch;
  const sealed = { ...batch, toValidatorsAtto };
  const settled = { ...command, toValidatorsAtto: command.toValidatorsAtto ?? 0n };
  for (const field of ['root', 'netAtto', 'burnedAtto', 'toValidatorsAtto', 'toTreasuryAtto'] as const) {
    if (settled[field] !== sealed[field])
      return reject(
        'BatchDiffersFromChain',
        `${field}: ${settled[field]} on the chain, ${sealed[field]} here`,
      );
  }
  const postings = [
    ...batch.payouts.flatMap(({ operatorId, amountAtto }) => [
      { account: operatorAccount(operatorId, 'settling'), amountAtto: -amountAtto },
      { account: operatorAccount(operatorId, 'claimable'), amountAtto },
    ]),
    { account: platformFees, amountAtto: -toTreasuryAtto },
    { account: platformBurned, amountAtto: -burnedAtto },
    { account: platformValidators, amountAtto: -toValidatorsAtto },
    { account: escrowCustody, amountAtto: toTreasuryAtto + burnedAtto + toValidatorsAtto },
  ].filter(({ amountAtto }) => amountAtto !== 0n);
  return accept({ type: 'BatchSettled', data: { batchId, transactionHash, postings } });
}

function claim(command: ConfirmClaim, state: Settlement): SettlementDecision {
  const { batchId, index, address, amountAtto } = command;
  if (state.done.has(batchId)) return accept();
  const batch = state.open.get(batchId);
  if (!batch) return reject('BatchNotFound', `batchId: ${batchId}`);
  if (batch.claimed.has(index)) return accept();
  if (!batch.isSettled) return reject('BatchIsNotSettled', `batchId: ${batchId}`);
  const payout = batch.payouts[index];
  if (!payout) return reject('PayoutNotFound', `index: ${batchId} has ${batch.payouts.length} payouts`);
  if (payout.address !== address || payout.amountAtto !== amountAtto)
    return reject('PayoutDiffersFromChain', `${payout.address} should have ${payout.amountAtto}`);
  const { operatorId } = payout;
  const postings = [
    { account: operatorAccount(operatorId, 'claimable'), amountAtto: -amountAtto },
    { account: escrowCustody, amountAtto },
  ];
  return accept({ type: 'PayoutClaimed', data: { ...command, operatorId, postings } });
}

/** What somebody has explained is no news as long as it differs by as much. */
function halt(command: HaltSettlement, { halted, explained }: Settlement): SettlementDecision {
  const differences = command.differences.filter(
    difference => explained.get(difference.reference) !== differenceOf(difference),
  );
  const known = new Map(halted?.map(difference => [difference.reference, differenceOf(difference)]));
  const isKnown = differences.every(
    difference => known.get(difference.reference) === differenceOf(difference),
  );
  return isKnown ? accept() : accept({ type: 'SettlementHalted', data: { ...command, differences } });
}

const differenceOf = ({ chainAtto, ledgerAtto }: Difference): bigint => chainAtto - ledgerAtto;

function explain({ explained }: Settlement, difference: Difference): void {
  explained.delete(difference.reference);
  explained.set(difference.reference, differenceOf(difference));
  if (explained.size > MAX_EXPLAINED) explained.delete(explained.keys().next().value!);
}

function sealed(state: Settlement, data: BatchSealed): Settlement {
  const { batchId, root, payouts, debits, chargedAt, heldBack, takenUp } = data;
  const { netAtto, burnedAtto, toTreasuryAtto, toValidatorsAtto } = data;
  const totals = {
    ...{ netAtto, burnedAtto, toTreasuryAtto },
    ...(toValidatorsAtto !== undefined && { toValidatorsAtto }),
  };
  state.open.set(batchId, {
    root,
    payouts,
    debits,
    chargedAt,
    ...totals,
    isSettled: false,
    claimed: new Set(),
  });
  for (const share of takenUp) state.waiting.delete(shareKey(share));
  holdBack(state, heldBack);
  state.sealedTo = data.toPosition;
  state.batches = data.number;
  state.unsettled = batchId;
  return state;
}

function holdBack({ waiting }: Settlement, shares: readonly Share[]): void {
  for (const share of shares) {
    const before = waiting.get(shareKey(share));
    waiting.set(shareKey(share), before ? together(before, share) : share);
  }
}
