import { Atto } from '@astro/postgres/atto';
import { defineEntity, type EntityManager, type InferEntity } from '@mikro-orm/postgresql';
import { asTheyAre, pageAsOf, readAsOf } from './as-of.js';
import { filling, mirrored, undoOf, type MirroredTable } from './mirrored.js';
import type { PageQuery } from '../page.js';

/** What each tenant has in escrow, and what it has announced to take out. */
export const EscrowBalance = defineEntity({
  name: 'EscrowBalance',
  schema: 'chain',
  tableName: 'escrow_balances',
  properties: p => ({
    tenant: p.text().primary(),
    balanceAtto: p.type(Atto),
    withdrawingAtto: p.type(Atto),
    /** In seconds since 1970; 0 when nothing is announced. */
    availableAt: p.bigint('number'),
    asOfBlock: p.bigint('number'),
    isFinal: p.boolean(),
  }),
});
export type EscrowBalance = InferEntity<typeof EscrowBalance>;
export const EscrowBalanceUndo = undoOf('escrow_balances');

/** What was settled in one batch, and how much of it has been claimed. */
export const SettlementBatch = defineEntity({
  name: 'SettlementBatch',
  schema: 'chain',
  tableName: 'settlement_batches',
  properties: p => ({
    batch: p.text().primary(),
    root: p.text(),
    grossAtto: p.type(Atto),
    netAtto: p.type(Atto),
    burnedAtto: p.type(Atto),
    toTreasuryAtto: p.type(Atto),
    claimedAtto: p.type(Atto),
    asOfBlock: p.bigint('number'),
    isFinal: p.boolean(),
  }),
});
export type SettlementBatch = InferEntity<typeof SettlementBatch>;
/** What validators have of the batch: what the others leave of its gross. */
export const toValidatorsAtto = ({
  grossAtto,
  netAtto,
  burnedAtto,
  toTreasuryAtto,
}: SettlementBatch): bigint => grossAtto - netAtto - burnedAtto - toTreasuryAtto;
export const SettlementBatchUndo = undoOf('settlement_batches');

/** Who was paid what of a batch. */
export const SettlementClaim = defineEntity({
  name: 'SettlementClaim',
  schema: 'chain',
  tableName: 'settlement_claims',
  properties: p => ({
    /** `<batch>/<index>` */
    id: p.text().primary(),
    batch: p.text(),
    account: p.text(),
    amountAtto: p.type(Atto),
    asOfBlock: p.bigint('number'),
    isFinal: p.boolean(),
  }),
});
export type SettlementClaim = InferEntity<typeof SettlementClaim>;

const changes: Readonly<Record<string, 1n | -1n>> = {
  'escrow.Deposited': 1n,
  'escrow.Debited': -1n,
  'escrow.Refunded': -1n,
  'escrow.Withdrawn': -1n,
};

const balances: MirroredTable<EscrowBalance> = {
  entity: EscrowBalance,
  undo: EscrowBalanceUndo,
  keysOf: fact =>
    fact.name in changes || fact.name === 'escrow.WithdrawalAnnounced' ? [fact.address('tenant')] : [],
  evolve(row, fact, tenant) {
    const before = row ?? { balanceAtto: 0n, withdrawingAtto: 0n, availableAt: 0 };
    const { balanceAtto, withdrawingAtto, availableAt } = before;
    const amount = fact.amount('amount');
    if (fact.name === 'escrow.WithdrawalAnnounced')
      return { tenant, balanceAtto, withdrawingAtto: amount, availableAt: fact.number('availableAt') };
    const after = balanceAtto + changes[fact.name]! * amount;
    if (fact.name === 'escrow.Withdrawn')
      return { tenant, balanceAtto: after, withdrawingAtto: 0n, availableAt: 0 };
    return { tenant, balanceAtto: after, withdrawingAtto, availableAt };
  },
};

const batches: MirroredTable<SettlementBatch> = {
  entity: SettlementBatch,
  undo: SettlementBatchUndo,
  keysOf: fact =>
    fact.name === 'escrow.Settled' || fact.name === 'escrow.Claimed' ? [fact.bytes32('batch')] : [],
  evolve(row, fact, batch) {
    if (fact.name === 'escrow.Claimed')
      return row && { ...row, claimedAtto: row.claimedAtto + fact.amount('amount') };
    return {
      batch,
      root: fact.bytes32('root'),
      grossAtto: fact.amount('gross'),
      netAtto: fact.amount('net'),
      burnedAtto: fact.amount('burned'),
      toTreasuryAtto: fact.amount('toTreasury'),
      claimedAtto: 0n,
    };
  },
};

const claims: MirroredTable<SettlementClaim> = {
  entity: SettlementClaim,
  keysOf: fact =>
    fact.name === 'escrow.Claimed' ? [`${fact.bytes32('batch')}/${fact.amount('index')}`] : [],
  evolve: (_row, fact, id) => ({
    id,
    batch: fact.bytes32('batch'),
    account: fact.address('account'),
    amountAtto: fact.amount('amount'),
  }),
};

export const escrow = mirrored('chain.escrow', [filling(balances), filling(batches), filling(claims)]);

/** What the tenant has in escrow: no row for one for whom nothing was ever deposited. @param tenant its address */
export const escrowOf = (em: EntityManager, tenant: string) =>
  readAsOf(em, escrow.head, within => within.find(EscrowBalance, { tenant: tenant.toLowerCase() }));

/** In the order of their ids. @throws InvalidCursor */
export const pageOfBatches = (em: EntityManager, query: PageQuery) =>
  pageAsOf(em, escrow.head, SettlementBatch, query, {}, asTheyAre);

export const findBatch = (em: EntityManager, batch: string) =>
  readAsOf(em, escrow.head, within => within.find(SettlementBatch, { batch }));

/** Who was paid what of one batch. @throws InvalidCursor */
export const pageOfClaims = (em: EntityManager, batch: string, query: PageQuery) =>
  pageAsOf(em, escrow.head, SettlementClaim, query, { batch }, asTheyAre);
