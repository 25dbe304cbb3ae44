import type { Projection } from '@astro/event-sourcing/projection';
import type { Recorded } from '@astro/event-sourcing/recorded';
import type { SettlementEvent } from '@astro/messages/billing';
import { Atto } from '@astro/postgres/atto';
import { insertRows } from '@astro/postgres/rows';
import { defineEntity, type EntityManager, type InferEntity } from '@mikro-orm/postgresql';
import { pageOf, rowsFor, timeAndIdIn, type Page, type PageQuery } from '../page.js';

/** A batch of charges on its way to the chain, or there. */
export const Batch = defineEntity({
  name: 'Batch',
  schema: 'billing',
  tableName: 'batches',
  properties: p => ({
    batchId: p.text().primary(),
    chainId: p.bigint('number'),
    number: p.bigint('number'),
    root: p.text(),
    netAtto: p.type(Atto),
    burnedAtto: p.type(Atto),
    toTreasuryAtto: p.type(Atto),
    payouts: p.integer(),
    sealedAt: p.datetime(),
    settledAt: p.datetime().nullable(),
    /** Of the transaction that settled it. */
    transactionHash: p.text().nullable(),
  }),
});
export type Batch = InferEntity<typeof Batch>;

/** What an operator is paid by one batch. */
export const Payout = defineEntity({
  name: 'Payout',
  schema: 'billing',
  tableName: 'payouts',
  indexes: [{ properties: ['operatorId', 'sealedAt', 'payoutId'] }, { properties: ['batchId', 'index'] }],
  properties: p => ({
    /** `<batch>-<index>` */
    payoutId: p.text().primary(),
    batchId: p.text(),
    index: p.bigint('number'),
    operatorId: p.text(),
    address: p.text(),
    amountAtto: p.type(Atto),
    status: p.text().$type<'settling' | 'claimable' | 'claimed'>(),
    sealedAt: p.datetime(),
    /** Of the transaction that paid it. */
    transactionHash: p.text().nullable(),
  }),
});
export type Payout = InferEntity<typeof Payout>;

const payoutIdOf = (batchId: string, index: number): string => `${batchId}-${index}`;

export const payouts: Projection<SettlementEvent, EntityManager> = {
  name: 'billing.payouts',
  version: 1,
  tables: ['payouts', 'batches'],
  reads: ['billing.settlement'],
  async apply(em, recorded) {
    const { type, data } = recorded.event;
    switch (type) {
      case 'BatchSealed':
        return sealed(em, recorded);
      case 'BatchSettled': {
        const { batchId, transactionHash } = data;
        const settled = { settledAt: recorded.recordedAt, transactionHash };
        await em.nativeUpdate(Batch, { batchId, settledAt: null }, settled);
        return em.nativeUpdate(Payout, { batchId, status: 'settling' }, { status: 'claimable' });
      }
      case 'PayoutClaimed': {
        const { batchId, index, transactionHash } = data;
        const claimed = { status: 'claimed', transactionHash } as const;
        return em.nativeUpdate(Payout, { payoutId: payoutIdOf(batchId, index) }, claimed);
      }
    }
    return undefined;
  },
};

async function sealed(
  em: EntityManager,
  { event: { type, data }, recordedAt: sealedAt }: Recorded<SettlementEvent>,
) {
  if (type !== 'BatchSealed') return;
  const { batchId, chainId, number, root, netAtto, burnedAtto, toTreasuryAtto } = data;
  const totals = { netAtto, burnedAtto, toTreasuryAtto, payouts: data.payouts.length };
  const unsettled = { settledAt: null, transactionHash: null };
  await insertRows(
    em,
    Batch,
    [{ batchId, chainId, number, root, ...totals, sealedAt, ...unsettled }],
    'ignore',
  );
  const rows = data.payouts.map((payout, index) => ({
    ...{ ...payout, payoutId: payoutIdOf(batchId, index), batchId, index },
    ...{ status: 'settling' as const, sealedAt, transactionHash: null },
  }));
  if (rows.length > 0) await insertRows(em, Payout, rows, 'ignore');
}

/** The operator's payouts, newest first. @throws InvalidCursor */
export async function pageOfPayouts(
  em: EntityManager,
  operatorId: string,
  { cursor, limit }: PageQuery,
): Promise<Page<Payout>> {
  const rows = await em.find(
    Payout,
    { operatorId, ...(cursor === undefined ? {} : before(timeAndIdIn(cursor))) },
    { orderBy: { sealedAt: 'desc', payoutId: 'desc' }, limit: rowsFor(limit) },
  );
  return pageOf(rows, limit, row => [row.sealedAt.toISOString(), row.payoutId]);
}

const before = ([sealedAt, payoutId]: readonly [Date, string]) => ({
  $or: [{ sealedAt: { $lt: sealedAt } }, { sealedAt, payoutId: { $lt: payoutId } }],
});

export const findPayout = (em: EntityManager, operatorId: string, payoutId: string) =>
  em.findOne(Payout, { payoutId, operatorId });

/** All payouts of a batch, in the order of its tree. */
export const payoutsOf = (em: EntityManager, batchId: string) =>
  em.find(Payout, { batchId }, { orderBy: { index: 'asc' } });

export const findBatch = (em: EntityManager, batchId: string) => em.findOne(Batch, { batchId });
