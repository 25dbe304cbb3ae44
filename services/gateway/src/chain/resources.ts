import { parameterNames } from '@astro/chain/deployment/configuration';
import type { AsOf } from '@astro/read-models/chain/as-of';
import {
  toValidatorsAtto,
  type EscrowBalance,
  type SettlementBatch,
  type SettlementClaim,
} from '@astro/read-models/chain/escrow';
import type { Parameter, Proposal, Vote } from '@astro/read-models/chain/governance';
import type { GrantWithMilestones } from '@astro/read-models/chain/grants';
import { worthAtto, type StakeOfAccount, type StakeProvider } from '@astro/read-models/chain/stakes';
import type { Allocation } from '@astro/read-models/chain/token';
import { encodeCursor } from '../http/cursor.js';

type Mirrored = { readonly asOfBlock: number; readonly isFinal: boolean };

const rowOf = ({ asOfBlock, isFinal }: Mirrored) => ({ asOfBlock, final: isFinal });

/** Of an answer that is made of several: as of the block that all of them know. */
export const joint = (...answers: readonly Mirrored[]) => ({
  asOfBlock: Math.min(...answers.map(({ asOfBlock }) => asOfBlock)),
  final: answers.every(({ isFinal }) => isFinal),
});

export const cursorOf = ({ nextCursor }: AsOf<unknown>, scope: string) =>
  nextCursor === undefined ? {} : { nextCursor: encodeCursor(scope, nextCursor) };

export const listOf = <Row, Item>(answer: AsOf<Row>, toItem: (row: Row) => Item) => ({
  ...joint(answer),
  items: answer.rows.map(toItem),
});

export const toParameter = (row: Parameter) => ({
  parameter: parameterNames[Number(row.parameter)] ?? row.parameter,
  value: row.value.toString(),
  ...rowOf(row),
});

export const toAllocation = (row: Allocation) => ({
  ...{ name: row.name, holder: row.holder, amountAtto: row.amountAtto.toString() },
  ...rowOf(row),
});

export const toProvider = (row: StakeProvider) => ({
  ...{ role: row.role, subject: row.subject, openCases: row.openCases },
  activeAtto: worthAtto(row.activeShares, row).toString(),
  ...rowOf(row),
});

export const toPosition = (row: StakeOfAccount) => ({
  ...{ role: row.role, provider: row.provider, stakedAtto: row.stakedAtto.toString() },
  ...rowOf(row),
});

/** A tenant for whom nothing was ever deposited has nothing. */
export const toEscrow = (account: string, row: EscrowBalance | undefined) => ({
  account,
  balanceAtto: (row?.balanceAtto ?? 0n).toString(),
  withdrawingAtto: (row?.withdrawingAtto ?? 0n).toString(),
  ...(row !== undefined && row.availableAt > 0 && { withdrawableAt: row.availableAt }),
});

export const toBatch = (row: SettlementBatch) => ({
  ...{ batch: row.batch, root: row.root, grossAtto: row.grossAtto.toString() },
  ...{ netAtto: row.netAtto.toString(), burnedAtto: row.burnedAtto.toString() },
  ...{ toTreasuryAtto: row.toTreasuryAtto.toString(), toValidatorsAtto: toValidatorsAtto(row).toString() },
  claimedAtto: row.claimedAtto.toString(),
  ...rowOf(row),
});

export const toClaim = (row: SettlementClaim) => ({
  index: row.id.slice(row.id.indexOf('/') + 1),
  ...{ account: row.account, amountAtto: row.amountAtto.toString() },
  ...rowOf(row),
});

export const toProposal = (row: Proposal) => ({
  ...{ id: row.proposalId, proposer: row.proposer, description: row.description },
  ...{ voteStart: row.voteStart, voteEnd: row.voteEnd, status: row.status },
  forVotesAtto: row.forVotes.toString(),
  againstVotesAtto: row.againstVotes.toString(),
  abstainVotesAtto: row.abstainVotes.toString(),
  ...rowOf(row),
});

export const toVote = (row: Vote) => ({
  ...{ voter: row.voter, support: row.support, weightAtto: row.weight.toString(), reason: row.reason },
  ...rowOf(row),
});

export const toGrant = (row: GrantWithMilestones) => ({
  ...{ id: row.grantId, grantee: row.grantee, purpose: row.purpose },
  ...{ amountAtto: row.amountAtto.toString(), paidAtto: row.paidAtto.toString() },
  clawedBackAtto: row.clawedBackAtto.toString(),
  milestones: row.milestones.map(milestone => ({
    ...{ amountAtto: milestone.amountAtto.toString(), status: milestone.status },
    ...rowOf(milestone),
  })),
  ...rowOf(row),
});
