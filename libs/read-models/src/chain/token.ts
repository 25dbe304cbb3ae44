import { Atto } from '@astro/postgres/atto';
import { defineEntity, type EntityManager, type InferEntity } from '@mikro-orm/postgresql';
import { readAsOf } from './as-of.js';
import { filling, mirrored, undoOf, type MirroredTable } from './mirrored.js';

/** More than any deployment lists. */
const maxAllocations = 200;
const nobody = `0x${'0'.repeat(40)}`;

/** What each account holds on the chain. An account without a row holds nothing. */
export const TokenBalance = defineEntity({
  name: 'TokenBalance',
  schema: 'chain',
  tableName: 'token_balances',
  properties: p => ({
    account: p.text().primary(),
    balanceAtto: p.type(Atto),
    asOfBlock: p.bigint('number'),
    isFinal: p.boolean(),
  }),
});
export type TokenBalance = InferEntity<typeof TokenBalance>;
export const TokenBalanceUndo = undoOf('token_balances');

/** Every transfer; what comes into being is from nobody, and what is burned goes there. */
export const TokenTransfer = defineEntity({
  name: 'TokenTransfer',
  schema: 'chain',
  tableName: 'token_transfers',
  properties: p => ({
    /** `<block>/<index in it>` */
    id: p.text().primary(),
    from: p.text(),
    to: p.text(),
    amountAtto: p.type(Atto),
    at: p.datetime(),
    asOfBlock: p.bigint('number'),
    isFinal: p.boolean(),
  }),
});
export type TokenTransfer = InferEntity<typeof TokenTransfer>;

/** The initial allocation, as the token was made with it. */
export const Allocation = defineEntity({
  name: 'Allocation',
  schema: 'chain',
  tableName: 'allocations',
  properties: p => ({
    name: p.text().primary(),
    holder: p.text(),
    amountAtto: p.type(Atto),
    asOfBlock: p.bigint('number'),
    isFinal: p.boolean(),
  }),
});
export type Allocation = InferEntity<typeof Allocation>;

const balances: MirroredTable<TokenBalance> = {
  entity: TokenBalance,
  undo: TokenBalanceUndo,
  keysOf: fact =>
    fact.name === 'token.Transfer'
      ? [...new Set([fact.address('from'), fact.address('to')])].filter(account => account !== nobody)
      : [],
  evolve(row, fact, account) {
    const amount = fact.amount('value');
    const received = fact.address('to') === account ? amount : 0n;
    const sent = fact.address('from') === account ? amount : 0n;
    return { account, balanceAtto: (row?.balanceAtto ?? 0n) + received - sent };
  },
};

const transfers: MirroredTable<TokenTransfer> = {
  entity: TokenTransfer,
  keysOf: (fact, { block, index }) => (fact.name === 'token.Transfer' ? [`${block}/${index}`] : []),
  evolve: (_row, fact, id, { time }) => ({
    id,
    from: fact.address('from'),
    to: fact.address('to'),
    amountAtto: fact.amount('value'),
    at: time,
  }),
};

const allocations: MirroredTable<Allocation> = {
  entity: Allocation,
  keysOf: fact => (fact.name === 'token.Allocated' ? [fact.text('name')] : []),
  evolve: (_row, fact, name) => ({ name, holder: fact.address('holder'), amountAtto: fact.amount('amount') }),
};

export const token = mirrored('chain.token', [filling(balances), filling(transfers), filling(allocations)]);

/** What the account holds: no row for one that never held anything. */
export const tokensOf = (em: EntityManager, account: string) =>
  readAsOf(em, token.head, within => within.find(TokenBalance, { account: account.toLowerCase() }));

/** The initial allocation, by name. A deployment has a few of them. */
export const allocationsOf = (em: EntityManager) =>
  readAsOf(em, token.head, within =>
    within.find(Allocation, {}, { orderBy: { name: 'asc' }, limit: maxAllocations }),
  );
