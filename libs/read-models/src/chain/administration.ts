import { Atto } from '@astro/postgres/atto';
import { defineEntity, type InferEntity } from '@mikro-orm/postgresql';
import { filling, mirrored, undoOf, type MirroredTable } from './mirrored.js';

/** What waits in the timelock, was done, or was called off. */
export const TimelockOperation = defineEntity({
  name: 'TimelockOperation',
  schema: 'chain',
  tableName: 'timelock_operations',
  properties: p => ({
    operationId: p.text().primary(),
    calls: p.integer(),
    executedCalls: p.integer(),
    /** In seconds since 1970. */
    readyAt: p.bigint('number'),
    status: p.text().$type<'scheduled' | 'executed' | 'cancelled'>(),
    asOfBlock: p.bigint('number'),
    isFinal: p.boolean(),
  }),
});
export type TimelockOperation = InferEntity<typeof TimelockOperation>;
export const TimelockOperationUndo = undoOf('timelock_operations');

/** What the treasury has paid out. */
export const TreasuryPayment = defineEntity({
  name: 'TreasuryPayment',
  schema: 'chain',
  tableName: 'treasury_payments',
  properties: p => ({
    /** `<block>/<index in it>` */
    id: p.text().primary(),
    token: p.text(),
    to: p.text(),
    amountAtto: p.type(Atto),
    purpose: p.text(),
    at: p.datetime(),
    asOfBlock: p.bigint('number'),
    isFinal: p.boolean(),
  }),
});
export type TreasuryPayment = InferEntity<typeof TreasuryPayment>;

/** The last pause of each contract that can be stopped. */
export const ContractPause = defineEntity({
  name: 'ContractPause',
  schema: 'chain',
  tableName: 'contract_pauses',
  properties: p => ({
    /** `escrow` or `rewards`. */
    contract: p.text().primary(),
    guardian: p.text(),
    /** In seconds since 1970; 0 when the administrator has ended it. */
    until: p.bigint('number'),
    asOfBlock: p.bigint('number'),
    isFinal: p.boolean(),
  }),
});
export type ContractPause = InferEntity<typeof ContractPause>;
export const ContractPauseUndo = undoOf('contract_pauses');

const operations: MirroredTable<TimelockOperation> = {
  entity: TimelockOperation,
  undo: TimelockOperationUndo,
  keysOf: fact =>
    /^timelock\.(CallScheduled|CallExecuted|Cancelled)$/.test(fact.name) ? [fact.bytes32('id')] : [],
  evolve(row, fact, operationId, { time }) {
    if (fact.name === 'timelock.CallScheduled') {
      const readyAt = Math.floor(time.getTime() / 1_000) + fact.number('delay');
      const calls = fact.number('index') + 1;
      return { operationId, calls, executedCalls: 0, readyAt, status: 'scheduled' };
    }
    if (row === undefined) return undefined;
    if (fact.name === 'timelock.Cancelled') return { ...row, status: 'cancelled' };
    const executedCalls = row.executedCalls + 1;
    return { ...row, executedCalls, status: executedCalls === row.calls ? 'executed' : row.status };
  },
};

const payments: MirroredTable<TreasuryPayment> = {
  entity: TreasuryPayment,
  keysOf: (fact, { block, index }) => (fact.name === 'treasury.Paid' ? [`${block}/${index}`] : []),
  evolve: (_row, fact, id, { time }) => ({
    id,
    token: fact.address('token'),
    to: fact.address('to'),
    amountAtto: fact.amount('amount'),
    purpose: fact.bytes32('purpose'),
    at: time,
  }),
};

const pauses: MirroredTable<ContractPause> = {
  entity: ContractPause,
  undo: ContractPauseUndo,
  keysOf: fact => (/\.(Paused|Resumed)$/.test(fact.name) ? [fact.name.slice(0, fact.name.indexOf('.'))] : []),
  evolve: (row, fact, contract) =>
    fact.name.endsWith('.Paused')
      ? { contract, guardian: fact.address('guardian'), until: fact.number('until') }
      : row && { ...row, until: 0 },
};

export const administration = mirrored('chain.administration', [
  filling(operations),
  filling(payments),
  filling(pauses),
]);
