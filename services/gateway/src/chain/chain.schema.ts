import { z } from 'zod';
import { atto } from '../http/fields.js';
import { pageQuery } from '../http/page.js';

const block = z.int().min(0).meta({ example: 1_234 });
const accountText = z.string().meta({ example: '0x70997970c51812dc3a010c7d01b50e0d17dc79c8' });
const hash = z.string().meta({ example: `0x${'1f'.repeat(32)}` });
/** Seconds since 1970. */
const second = z.int().min(0);

/** What every row says: which block changed it last, and whether that can still be taken back. */
const row = { asOfBlock: block, final: z.boolean() };
/** What every answer says: up to which block it knows the chain, and whether all of it is final. */
const answer = {
  asOfBlock: block.meta({ description: 'The answer knows the chain up to this block' }),
  final: z.boolean().meta({ description: 'No reorganisation can take back what is answered' }),
};

const listOf = <Item extends z.ZodType>(item: Item) => z.object({ ...answer, items: z.array(item) });
const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.object({ ...answer, items: z.array(item), nextCursor: z.string().optional() });

export const head = z
  .object({
    asOfBlock: answer.asOfBlock,
    finalBlock: block.meta({ description: 'Up to here nothing can be taken back' }),
  })
  .meta({ id: 'ChainHead' });

export const parameters = listOf(
  z
    .object({ parameter: z.string().meta({ example: 'feeBps' }), value: z.string(), ...row })
    .meta({ id: 'ChainParameter' }),
).meta({ id: 'ChainParameters' });

export const allocations = listOf(
  z
    .object({ name: z.string(), holder: accountText, amountAtto: atto, ...row })
    .meta({ id: 'TokenAllocation' }),
).meta({ id: 'TokenAllocations' });

const role = z.enum(['operator', 'validator']);
export const stakes = z
  .object({
    ...answer,
    account: accountText,
    tokensAtto: atto.meta({ description: 'What it holds itself, unstaked' }),
    providers: z.array(
      z.object({ role, subject: hash, activeAtto: atto, openCases: z.int().min(0), ...row }).meta({
        id: 'StakeProvider',
        description: 'What the account stands for, with all that is staked on it',
      }),
    ),
    positions: z.array(
      z.object({ role, provider: accountText, stakedAtto: atto, ...row }).meta({ id: 'StakePosition' }),
    ),
  })
  .meta({ id: 'Stakes' });

export const escrow = z
  .object({
    ...answer,
    account: accountText,
    balanceAtto: atto,
    withdrawingAtto: atto.meta({ description: 'Announced to be taken out' }),
    withdrawableAt: second
      .optional()
      .meta({ description: 'Seconds since 1970, where something is announced' }),
  })
  .meta({ id: 'EscrowBalance' });

const batch = z
  .object({
    batch: hash,
    root: hash,
    grossAtto: atto,
    netAtto: atto,
    burnedAtto: atto,
    toTreasuryAtto: atto,
    toValidatorsAtto: atto.meta({ description: 'What the rewards of validators have of the fee' }),
    claimedAtto: atto,
    ...row,
  })
  .meta({ id: 'SettlementBatch' });
export const batches = pageOf(batch).meta({ id: 'SettlementBatchPage' });
export const batchWithClaims = z
  .object({
    ...answer,
    batch,
    claims: z.array(
      z
        .object({ index: z.string(), account: accountText, amountAtto: atto, ...row })
        .meta({ id: 'SettlementClaim' }),
    ),
    nextCursor: z.string().optional(),
  })
  .meta({ id: 'SettlementBatchWithClaims' });

const proposal = z
  .object({
    id: z.string(),
    proposer: accountText,
    description: z.string(),
    voteStart: second,
    voteEnd: second,
    forVotesAtto: atto,
    againstVotesAtto: atto,
    abstainVotesAtto: atto,
    status: z.enum(['proposed', 'queued', 'executed', 'cancelled']),
    ...row,
  })
  .meta({ id: 'Proposal' });
export const proposals = pageOf(proposal).meta({ id: 'ProposalPage' });
export const proposalWithVotes = z
  .object({
    ...answer,
    proposal,
    votes: z.array(
      z
        .object({
          voter: accountText,
          support: z.enum(['against', 'for', 'abstain']),
          weightAtto: atto,
          reason: z.string(),
          ...row,
        })
        .meta({ id: 'Vote' }),
    ),
    nextCursor: z.string().optional(),
  })
  .meta({ id: 'ProposalWithVotes' });

export const grants = pageOf(
  z
    .object({
      id: z.string(),
      grantee: accountText,
      purpose: hash,
      amountAtto: atto,
      paidAtto: atto,
      clawedBackAtto: atto,
      milestones: z.array(
        z.object({ amountAtto: atto, status: z.enum(['pending', 'delivered', 'approved', 'paid']), ...row }),
      ),
      ...row,
    })
    .meta({ id: 'Grant' }),
).meta({ id: 'GrantPage' });

export const listQuery = pageQuery;
export const address = z
  .string()
  .regex(/^0x[0-9a-fA-F]{40}$/, 'must be an address of the chain: 0x and 40 digits of hex');
export const accountPath = { account: accountText };
export const tenantPath = {
  tenantId: z.string().meta({
    description: 'The id of your own account, whose linked address is looked up, or any address of the chain',
    example: 'tenant_01h455vb4pex5vsknk084sn02q',
  }),
};
export const batchPath = { id: hash };
export const proposalPath = { id: z.string().meta({ example: '7301' }) };
