import { Atto } from '@astro/postgres/atto';
import { defineEntity, type InferEntity } from '@mikro-orm/postgresql';
import { filling, mirrored, undoOf, type MirroredTable } from './mirrored.js';
import { roleOf, type StakeRole } from './stake-role.js';

/** What one account takes back from one provider: what began to unbond on one day is released together. */
export const StakeUnbonding = defineEntity({
  name: 'StakeUnbonding',
  schema: 'chain',
  tableName: 'stake_unbondings',
  indexes: [{ properties: ['holder'] }],
  properties: p => ({
    /** `<role>/<provider>/<bucket>/<holder>` */
    id: p.text().primary(),
    role: p.text().$type<StakeRole>(),
    provider: p.text(),
    bucket: p.text(),
    holder: p.text(),
    shares: p.type(Atto),
    /** In seconds since 1970: until then, and while a case is open, it can be slashed. */
    maturesAt: p.bigint('number'),
    withdrawnAtto: p.type(Atto),
    asOfBlock: p.bigint('number'),
    isFinal: p.boolean(),
  }),
});
export type StakeUnbonding = InferEntity<typeof StakeUnbonding>;
export const StakeUnbondingUndo = undoOf('stake_unbondings');

/** What a share of a released bucket is worth for good. */
export const ReleasedBucket = defineEntity({
  name: 'ReleasedBucket',
  schema: 'chain',
  tableName: 'released_buckets',
  properties: p => ({
    /** `<role>/<provider>/<bucket>` */
    id: p.text().primary(),
    /** In units of 10^-27. */
    factor: p.type(Atto),
    asOfBlock: p.bigint('number'),
    isFinal: p.boolean(),
  }),
});
export type ReleasedBucket = InferEntity<typeof ReleasedBucket>;

const unbondings: MirroredTable<StakeUnbonding> = {
  entity: StakeUnbonding,
  undo: StakeUnbondingUndo,
  keysOf: fact =>
    fact.name === 'staking.Unbonding' || fact.name === 'staking.Withdrawn'
      ? [`${roleOf(fact)}/${fact.address('provider')}/${fact.amount('bucket')}/${fact.address('holder')}`]
      : [],
  evolve(row, fact, id) {
    if (fact.name === 'staking.Withdrawn')
      return row && { ...row, shares: 0n, withdrawnAtto: row.withdrawnAtto + fact.amount('amount') };
    return {
      ...{ id, role: roleOf(fact), provider: fact.address('provider'), bucket: `${fact.amount('bucket')}` },
      holder: fact.address('holder'),
      shares: (row?.shares ?? 0n) + fact.amount('shares'),
      maturesAt: fact.number('maturesAt'),
      withdrawnAtto: row?.withdrawnAtto ?? 0n,
    };
  },
};

const buckets: MirroredTable<ReleasedBucket> = {
  entity: ReleasedBucket,
  keysOf: fact =>
    fact.name === 'staking.BucketReleased'
      ? [`${roleOf(fact)}/${fact.address('provider')}/${fact.amount('bucket')}`]
      : [],
  evolve: (_row, fact, id) => ({ id, factor: fact.amount('factor') }),
};

export const unbonding = mirrored('chain.unbonding', [filling(unbondings), filling(buckets)]);
