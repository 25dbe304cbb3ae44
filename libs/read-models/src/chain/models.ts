import type { EntityManager, EntitySchema } from '@mikro-orm/postgresql';
import * as administration from './administration.js';
import * as escrow from './escrow.js';
import * as governance from './governance.js';
import * as grants from './grants.js';
import { readHead, type Head } from './head.js';
import type { MirroredModel } from './mirrored.js';
import * as rewards from './rewards.js';
import * as slashing from './slashing.js';
import * as stakes from './stakes.js';
import * as token from './token.js';
import * as unbonding from './unbonding.js';
import * as vesting from './vesting.js';

export type ChainModel = {
  readonly projection: MirroredModel;
  /** Of every table that the projection fills, those with what rows were before included. */
  readonly entities: readonly EntitySchema[];
};

const models = [
  {
    projection: token.token,
    entities: [...[token.TokenBalance, token.TokenTransfer, token.Allocation], token.TokenBalanceUndo],
  },
  {
    projection: escrow.escrow,
    entities: [
      ...[escrow.EscrowBalance, escrow.SettlementBatch, escrow.SettlementClaim],
      ...[escrow.EscrowBalanceUndo, escrow.SettlementBatchUndo],
    ],
  },
  {
    projection: stakes.stakes,
    entities: [
      ...[stakes.StakeProvider, stakes.StakePosition],
      ...[stakes.StakeProviderUndo, stakes.StakePositionUndo],
    ],
  },
  {
    projection: rewards.rewards,
    entities: [
      ...[rewards.RewardEpoch, rewards.RewardClaim, rewards.RewardFund],
      ...[rewards.RewardEpochUndo, rewards.RewardFundUndo],
    ],
  },
  {
    projection: governance.governance,
    entities: [
      ...[governance.Proposal, governance.Vote, governance.Parameter],
      ...[governance.ProposalUndo, governance.ParameterUndo],
    ],
  },
  {
    projection: grants.grants,
    entities: [grants.Grant, grants.GrantMilestone, grants.GrantUndo, grants.GrantMilestoneUndo],
  },
  {
    projection: vesting.vesting,
    entities: [vesting.VestingSchedule, vesting.VestingScheduleUndo],
  },
  {
    projection: slashing.slashing,
    entities: [slashing.SlashingCase, slashing.SlashingCaseUndo, slashing.Slash],
  },
  {
    projection: unbonding.unbonding,
    entities: [unbonding.StakeUnbonding, unbonding.StakeUnbondingUndo, unbonding.ReleasedBucket],
  },
  {
    projection: administration.administration,
    entities: [
      ...[administration.TimelockOperation, administration.TreasuryPayment, administration.ContractPause],
      ...[administration.TimelockOperationUndo, administration.ContractPauseUndo],
    ],
  },
];

/** Every read model of the chain. */
export const chainModels: readonly ChainModel[] = models.map(({ projection, entities }) => ({
  projection,
  entities: [projection.head, ...entities],
}));

/** How far the chain is in every read model: as far as in the one that is furthest behind. */
export async function followedTo(em: EntityManager): Promise<Omit<Head, 'id'> | undefined> {
  const heads: Head[] = [];
  for (const { projection } of models) {
    const head = await readHead(em, projection.head);
    if (head === undefined) return undefined;
    heads.push(head);
  }
  return {
    asOfBlock: Math.min(...heads.map(({ asOfBlock }) => asOfBlock)),
    finalBlock: Math.min(...heads.map(({ finalBlock }) => finalBlock)),
  };
}
