import { Atto } from '@astro/postgres/atto';
import { defineEntity, type InferEntity } from '@mikro-orm/postgresql';
import { filling, mirrored, undoOf, type MirroredTable } from './mirrored.js';

/** What was published for one epoch, and how much of it has been claimed. */
export const RewardEpoch = defineEntity({
  name: 'RewardEpoch',
  schema: 'chain',
  tableName: 'reward_epochs',
  properties: p => ({
    epoch: p.text().primary(),
    root: p.text(),
    totalAtto: p.type(Atto),
    /** In seconds since 1970: until then it can be cancelled. */
    openFrom: p.bigint('number'),
    isCancelled: p.boolean(),
    claimedAtto: p.type(Atto),
    asOfBlock: p.bigint('number'),
    isFinal: p.boolean(),
  }),
});
export type RewardEpoch = InferEntity<typeof RewardEpoch>;
export const RewardEpochUndo = undoOf('reward_epochs');

/** Who was rewarded what in an epoch. */
export const RewardClaim = defineEntity({
  name: 'RewardClaim',
  schema: 'chain',
  tableName: 'reward_claims',
  properties: p => ({
    /** `<epoch>/<index>` */
    id: p.text().primary(),
    epoch: p.text(),
    account: p.text(),
    amountAtto: p.type(Atto),
    asOfBlock: p.bigint('number'),
    isFinal: p.boolean(),
  }),
});
export type RewardClaim = InferEntity<typeof RewardClaim>;

/** Who paid in how much beside the share of the community: Escrow what validators have of fees. */
export const RewardFund = defineEntity({
  name: 'RewardFund',
  schema: 'chain',
  tableName: 'reward_funds',
  properties: p => ({
    payer: p.text().primary(),
    amountAtto: p.type(Atto),
    asOfBlock: p.bigint('number'),
    isFinal: p.boolean(),
  }),
});
export type RewardFund = InferEntity<typeof RewardFund>;
export const RewardFundUndo = undoOf('reward_funds');

const epochs: MirroredTable<RewardEpoch> = {
  entity: RewardEpoch,
  undo: RewardEpochUndo,
  keysOf: fact =>
    /^rewards\.(EpochPublished|EpochCancelled|Claimed)$/.test(fact.name) ? [`${fact.amount('epoch')}`] : [],
  evolve(row, fact, epoch) {
    if (fact.name === 'rewards.EpochCancelled') return row && { ...row, isCancelled: true };
    if (fact.name === 'rewards.Claimed')
      return row && { ...row, claimedAtto: row.claimedAtto + fact.amount('amount') };
    return {
      epoch,
      root: fact.bytes32('root'),
      totalAtto: fact.amount('total'),
      openFrom: fact.number('openFrom'),
      isCancelled: false,
      claimedAtto: 0n,
    };
  },
};

const claims: MirroredTable<RewardClaim> = {
  entity: RewardClaim,
  keysOf: fact =>
    fact.name === 'rewards.Claimed' ? [`${fact.amount('epoch')}/${fact.amount('index')}`] : [],
  evolve: (_row, fact, id) => ({
    id,
    epoch: `${fact.amount('epoch')}`,
    account: fact.address('account'),
    amountAtto: fact.amount('amount'),
  }),
};

const funds: MirroredTable<RewardFund> = {
  entity: RewardFund,
  undo: RewardFundUndo,
  keysOf: fact => (fact.name === 'rewards.Funded' ? [fact.address('from')] : []),
  evolve: (row, fact, payer) => ({
    payer,
    amountAtto: (row?.amountAtto ?? 0n) + fact.amount('amount'),
  }),
};

export const rewards = mirrored('chain.rewards', [filling(epochs), filling(claims), filling(funds)], 2);
