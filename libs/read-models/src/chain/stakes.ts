import { Atto } from '@astro/postgres/atto';
import { defineEntity, type EntityManager, type InferEntity } from '@mikro-orm/postgresql';
import type { Fact } from '@astro/chain/logs/fact';
import { readAsOf } from './as-of.js';
import { filling, mirrored, undoOf, type MirroredTable } from './mirrored.js';
import { roleOf, type StakeRole } from './stake-role.js';

/** Node operators and validators with a stake. A share is worth the factor, in units of 10^-27. */
export const StakeProvider = defineEntity({
  name: 'StakeProvider',
  schema: 'chain',
  tableName: 'stake_providers',
  properties: p => ({
    /** `<role>/<address>` */
    id: p.text().primary(),
    role: p.text().$type<StakeRole>(),
    provider: p.text(),
    /** What it stands for in the platform, as it was registered. */
    subject: p.text(),
    activeShares: p.type(Atto),
    factor: p.type(Atto),
    openCases: p.integer(),
    asOfBlock: p.bigint('number'),
    isFinal: p.boolean(),
  }),
});
export type StakeProvider = InferEntity<typeof StakeProvider>;
export const StakeProviderUndo = undoOf('stake_providers');

/** What one account has staked on one provider, without what is unbonding. */
export const StakePosition = defineEntity({
  name: 'StakePosition',
  schema: 'chain',
  tableName: 'stake_positions',
  properties: p => ({
    /** `<role>/<provider>/<holder>` */
    id: p.text().primary(),
    role: p.text().$type<StakeRole>(),
    provider: p.text(),
    holder: p.text(),
    shares: p.type(Atto),
    asOfBlock: p.bigint('number'),
    isFinal: p.boolean(),
  }),
});
export type StakePosition = InferEntity<typeof StakePosition>;
export const StakePositionUndo = undoOf('stake_positions');

/** Of one answer: an account has few, and who has more sees the first ones. */
const maxPositions = 200;
/** Of a provider that was never slashed: `WHOLE` of the contract. */
export const wholeFactor = 10n ** 27n;
const providerKey = (fact: Fact): string => `${roleOf(fact)}/${fact.address('provider')}`;

const providers: MirroredTable<StakeProvider> = {
  entity: StakeProvider,
  undo: StakeProviderUndo,
  keysOf: fact =>
    /^staking\.(Registered|Staked|Unbonding|Slashed|CasesChanged)$/.test(fact.name)
      ? [providerKey(fact)]
      : [],
  evolve(row, fact, id) {
    if (fact.name === 'staking.Registered')
      return {
        ...{ id, role: roleOf(fact), provider: fact.address('provider'), subject: fact.bytes32('subject') },
        ...{ activeShares: 0n, factor: wholeFactor, openCases: 0 },
      };
    if (row === undefined) return undefined;
    switch (fact.name) {
      case 'staking.Staked':
        return { ...row, activeShares: row.activeShares + fact.amount('shares') };
      case 'staking.Unbonding':
        return { ...row, activeShares: row.activeShares - fact.amount('shares') };
      case 'staking.Slashed':
        return { ...row, factor: fact.amount('factor') };
      case 'staking.CasesChanged':
        return { ...row, openCases: fact.number('openCases') };
    }
    return undefined;
  },
};

const positions: MirroredTable<StakePosition> = {
  entity: StakePosition,
  undo: StakePositionUndo,
  keysOf: fact =>
    fact.name === 'staking.Staked' || fact.name === 'staking.Unbonding'
      ? [`${providerKey(fact)}/${fact.address('holder')}`]
      : [],
  evolve(row, fact, id) {
    const shares = fact.amount('shares');
    return {
      id,
      role: roleOf(fact),
      provider: fact.address('provider'),
      holder: fact.address('holder'),
      shares: (row?.shares ?? 0n) + (fact.name === 'staking.Staked' ? shares : -shares),
    };
  },
};

/** Version 1 had a billionth of the factor of a provider that was never slashed. */
export const stakes = mirrored('chain.stakes', [filling(providers), filling(positions)], 2);

/** Units of the token that the shares are worth. */
export const worthAtto = (shares: bigint, { factor }: Pick<StakeProvider, 'factor'>): bigint =>
  (shares * factor) / wholeFactor;

export type StakeOfAccount = StakePosition & { readonly stakedAtto: bigint };

/** What the account has staked, on itself and on others. */
export const stakesOf = (em: EntityManager, account: string) =>
  readAsOf(em, stakes.head, async within => {
    const holder = account.toLowerCase();
    const held = await within.find(
      StakePosition,
      { holder },
      { orderBy: { id: 'asc' }, limit: maxPositions },
    );
    const ids = held.map(({ role, provider }) => `${role}/${provider}`);
    const found = await within.find(StakeProvider, { id: { $in: ids } });
    const providerOf = new Map(found.map(provider => [provider.id, provider]));
    return held.map((position): StakeOfAccount => {
      const provider = providerOf.get(`${position.role}/${position.provider}`)!;
      // A slash changes what the shares are worth without touching the position.
      const isFinal = position.isFinal && provider.isFinal;
      const asOfBlock = Math.max(position.asOfBlock, provider.asOfBlock);
      return { ...position, isFinal, asOfBlock, stakedAtto: worthAtto(position.shares, provider) };
    });
  });

/** What the account stands for as a node operator or a validator. */
export const providersOf = (em: EntityManager, account: string) =>
  readAsOf(em, stakes.head, within => within.find(StakeProvider, { provider: account.toLowerCase() }));
