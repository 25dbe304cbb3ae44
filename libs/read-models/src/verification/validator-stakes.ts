import { Fact } from '@astro/chain/logs/fact';
import type { Projection } from '@astro/event-sourcing/projection';
import type { BlockIndexed, MirrorEvent } from '@astro/messages/chain';
import { Atto } from '@astro/postgres/atto';
import { defineEntity, type EntityManager, type InferEntity } from '@mikro-orm/postgresql';
import { roleOf } from '../chain/stake-role.js';
import { wholeFactor, worthAtto } from '../chain/stakes.js';

/** What a block changes of a validator's stake, or of the least that one must have. Amounts are decimal strings. */
export type StakeChange =
  | { readonly kind: 'registered'; readonly provider: string; readonly subject: string }
  | { readonly kind: 'shares' | 'factor'; readonly provider: string; readonly amount: string }
  | { readonly kind: 'minimum'; readonly amount: string };

/** Blocks with logs of the protocol that may still be taken back. */
export const PendingBlock = defineEntity({
  name: 'PendingBlock',
  schema: 'verification',
  tableName: 'pending_blocks',
  properties: p => ({
    number: p.bigint('number').primary(),
    hash: p.text(),
    changes: p.json<readonly StakeChange[]>(),
  }),
});

/** Those that cannot, which audits are drawn from. */
export const FinalBlock = defineEntity({
  name: 'FinalBlock',
  schema: 'verification',
  tableName: 'final_blocks',
  properties: p => ({ number: p.bigint('number').primary(), hash: p.text() }),
});

/** What is staked on each account that is a validator, by final blocks alone. */
export const ValidatorStake = defineEntity({
  name: 'ValidatorStake',
  schema: 'verification',
  tableName: 'validator_stakes',
  properties: p => ({
    /** Address. */
    provider: p.text().primary(),
    subject: p.text().index(),
    activeShares: p.type(Atto),
    /** Tokens for 10^27 shares. */
    factor: p.type(Atto),
  }),
});
export type ValidatorStake = InferEntity<typeof ValidatorStake>;

/** How far the chain was followed. */
export const ChainProgress = defineEntity({
  name: 'ChainProgress',
  schema: 'verification',
  tableName: 'chain_progress',
  properties: p => ({
    id: p.text().primary(),
    headNumber: p.bigint('number'),
    finalNumber: p.bigint('number'),
    /** What a validator must have staked at least. */
    minimumAtto: p.type(Atto),
  }),
});
export type ChainProgress = InferEntity<typeof ChainProgress>;

const only = 'chain';
/** By its place in `Parameter` of the contract ProtocolParameters. */
const minValidatorStake = 3;
/** Of final blocks so many numbers back are kept: audits do not wait that long. */
const keptBlocks = 50_000;

/**
 * What validators have staked, as of final blocks. What a block changes waits until it is final: so nothing is ever
 * taken back, and nobody counts with a stake that a reorganisation could take from them.
 */
export const validatorStakes: Projection<MirrorEvent, EntityManager> = {
  name: 'verification.validator-stakes',
  version: 1,
  tables: ['chain_progress', 'pending_blocks', 'final_blocks', 'validator_stakes'],
  reads: ['chain.mirror'],
  async apply(em, { event: { type, data } }) {
    const progress = await progressIn(em);
    switch (type) {
      case 'BlockIndexed':
        // It is followed no further back than what is final: whatever is repeated from there has counted.
        if (data.number <= progress.finalNumber) return;
        await em.upsert(PendingBlock, { number: data.number, hash: data.hash, changes: changesIn(data) });
        return moveTo(em, progress, data.number, data.final ? data.number : progress.finalNumber);
      case 'BlockReverted':
        await em.nativeDelete(PendingBlock, { number: data.number });
        return;
      case 'HeadFollowed':
        return moveTo(em, progress, data.number, data.finalNumber);
    }
  },
};

async function progressIn(em: EntityManager): Promise<ChainProgress> {
  const [row] = await em.find(ChainProgress, { id: only }, { disableIdentityMap: true });
  return row ?? { id: only, headNumber: 0, finalNumber: 0, minimumAtto: 0n };
}

async function moveTo(
  em: EntityManager,
  progress: ChainProgress,
  head: number,
  final: number,
): Promise<void> {
  const finalNumber = Math.max(progress.finalNumber, final);
  const minimumAtto = await settle(em, finalNumber);
  await em.upsert(ChainProgress, {
    ...{ id: only, headNumber: Math.max(progress.headNumber, head), finalNumber },
    minimumAtto: minimumAtto ?? progress.minimumAtto,
  });
}

/** Blocks that have become final count, in their order. @returns what is the least stake by them, if they tell */
async function settle(em: EntityManager, finalNumber: number): Promise<bigint | undefined> {
  const isFinal = { number: { $lte: finalNumber } };
  const options = { orderBy: { number: 'asc' }, disableIdentityMap: true } as const;
  const blocks = await em.find(PendingBlock, isFinal, options);
  if (blocks.length === 0) return undefined;
  let minimumAtto: bigint | undefined;
  for (const { number, hash, changes } of blocks) {
    await em.upsert(FinalBlock, { number, hash });
    for (const change of changes) {
      if (change.kind === 'minimum') minimumAtto = BigInt(change.amount);
      else await changeStake(em, change);
    }
  }
  await em.nativeDelete(PendingBlock, isFinal);
  await em.nativeDelete(FinalBlock, { number: { $lt: finalNumber - keptBlocks } });
  return minimumAtto;
}

async function changeStake(
  em: EntityManager,
  change: Exclude<StakeChange, { readonly kind: 'minimum' }>,
): Promise<void> {
  const { provider } = change;
  if (change.kind === 'registered') {
    const { subject } = change;
    const fresh = { provider, subject, activeShares: 0n, factor: wholeFactor };
    await em.upsert(ValidatorStake, fresh, { onConflictAction: 'ignore' });
    return;
  }
  const [row] = await em.find(ValidatorStake, { provider }, { disableIdentityMap: true });
  if (!row) return;
  const amount = BigInt(change.amount);
  const changed = change.kind === 'factor' ? { factor: amount } : { activeShares: row.activeShares + amount };
  await em.nativeUpdate(ValidatorStake, { provider }, changed);
}

const changesIn = ({ logs }: BlockIndexed): readonly StakeChange[] =>
  logs.flatMap(log => {
    const fact = Fact.of(log);
    const change = fact && changeIn(fact);
    return change ? [change] : [];
  });

function changeIn(fact: Fact): StakeChange | undefined {
  if (fact.name === 'parameters.ParameterSet')
    return fact.number('parameter') === minValidatorStake
      ? { kind: 'minimum', amount: String(fact.amount('to')) }
      : undefined;
  if (!/^staking\.(Registered|Staked|Unbonding|Slashed)$/.test(fact.name)) return undefined;
  if (roleOf(fact) !== 'validator') return undefined;
  const provider = fact.address('provider');
  switch (fact.name) {
    case 'staking.Registered':
      return { kind: 'registered', provider, subject: fact.bytes32('subject') };
    case 'staking.Staked':
      return { kind: 'shares', provider, amount: String(fact.amount('shares')) };
    case 'staking.Unbonding':
      return { kind: 'shares', provider, amount: String(-fact.amount('shares')) };
    case 'staking.Slashed':
      return { kind: 'factor', provider, amount: String(fact.amount('factor')) };
  }
  return undefined;
}

/** Undefined where no chain is followed. */
export async function chainProgress(em: EntityManager): Promise<ChainProgress | undefined> {
  return (await em.findOne(ChainProgress, { id: only })) ?? undefined;
}

/** The first final block from this number on that holds a log of the protocol. */
export const firstFinalBlock = (em: EntityManager, from: number) =>
  em.findOne(FinalBlock, { number: { $gte: from } }, { orderBy: { number: 'asc' } });

/** Units of the token that are staked on each of these subjects, by all who registered it. */
export async function stakesOn(
  em: EntityManager,
  subjects: readonly string[],
): Promise<ReadonlyMap<string, bigint>> {
  const stakes = new Map<string, bigint>();
  for (const row of await em.find(ValidatorStake, { subject: { $in: [...subjects] } }))
    stakes.set(row.subject, (stakes.get(row.subject) ?? 0n) + worthAtto(row.activeShares, row));
  return stakes;
}
