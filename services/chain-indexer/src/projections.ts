import * as escrow from '@astro/read-models/chain/escrow';
import * as governance from '@astro/read-models/chain/governance';
import * as grants from '@astro/read-models/chain/grants';
import * as rewards from '@astro/read-models/chain/rewards';
import * as stakes from '@astro/read-models/chain/stakes';
import * as token from '@astro/read-models/chain/token';

export const chainProjections = [
  token.token,
  escrow.escrow,
  stakes.stakes,
  rewards.rewards,
  governance.governance,
  grants.grants,
];

export const chainEntities = [
  ...[token.TokenBalance, token.TokenBalanceUndo, token.TokenTransfer, token.Allocation],
  ...[escrow.EscrowBalance, escrow.SettlementBatch, escrow.SettlementClaim],
  ...[escrow.EscrowBalanceUndo, escrow.SettlementBatchUndo],
  ...[stakes.StakeProvider, stakes.StakePosition, stakes.StakeProviderUndo, stakes.StakePositionUndo],
  ...[rewards.RewardEpoch, rewards.RewardClaim, rewards.RewardEpochUndo],
  ...[governance.Proposal, governance.Vote, governance.Parameter],
  ...[governance.ProposalUndo, governance.ParameterUndo],
  ...[grants.Grant, grants.GrantMilestone, grants.GrantUndo, grants.GrantMilestoneUndo],
];
