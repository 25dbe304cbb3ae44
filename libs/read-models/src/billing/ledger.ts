import type { Projection } from '@astro/event-sourcing/projection';
import type { Recorded } from '@astro/event-sourcing/recorded';
import type { AccountEvent, SettlementEvent } from '@astro/messages/billing';
import { Atto } from '@astro/postgres/atto';
import { insertRows } from '@astro/postgres/rows';
import { tableOf } from '@astro/postgres/stage';
import { defineEntity, type EntityManager, type InferEntity } from '@mikro-orm/postgresql';
import { InvalidCursor, keyIn, pageOf, rowsFor, type Page, type PageQuery } from '../page.js';

/** Whatever moves money. */
export type LedgerEvent = AccountEvent | SettlementEvent;

/** Every posting of every transaction. A transaction is an event, and its postings sum to zero. */
export const LedgerEntry = defineEntity({
  name: 'LedgerEntry',
  schema: 'billing',
  tableName: 'ledger',
  indexes: [{ properties: ['account', 'position', 'index'] }, { properties: ['jobId'] }],
  properties: p => ({
    eventId: p.text().primary(),
    /** Place of the posting in its event. */
    index: p.integer().primary(),
    account: p.text(),
    amountAtto: p.type(Atto),
    /** Null of a settlement, which is of many tenants. */
    tenantId: p.text().nullable(),
    jobId: p.text().nullable(),
    taskId: p.text().nullable(),
    kind: p.text().$type<LedgerEvent['type']>(),
    recordedAt: p.datetime(),
    position: p.bigint('number'),
  }),
});
export type LedgerEntry = InferEntity<typeof LedgerEntry>;

export const ledger: Projection<LedgerEvent, EntityManager> = {
  name: 'billing.ledger',
  version: 3,
  tables: ['ledger'],
  reads: ['billing.account', 'billing.settlement'],
  apply: (em, recorded) => insertRows(em, LedgerEntry, entriesIn(recorded), 'ignore'),
  applyBatch: (em, batch) => insertRows(em, LedgerEntry, batch.flatMap(entriesIn), 'ignore'),
};

function entriesIn({ id, event: { type: kind, data }, recordedAt, position }: Recorded<LedgerEvent>) {
  if (!('postings' in data)) return [];
  const about = {
    eventId: id,
    kind,
    tenantId: 'tenantId' in data ? data.tenantId : null,
    jobId: 'jobId' in data ? data.jobId : null,
    taskId: 'taskId' in data ? data.taskId : null,
    recordedAt,
    position,
  };
  return data.postings.map((posting, index) => ({ ...posting, ...about, index }));
}

/** Postings of one account, newest first. @throws InvalidCursor */
export async function entriesOf(
  em: EntityManager,
  account: string,
  query: PageQuery,
): Promise<Page<LedgerEntry>> {
  const { cursor, limit } = query;
  const rows = await em.find(
    LedgerEntry,
    { account, ...(cursor === undefined ? {} : before(cursor)) },
    { orderBy: { position: 'desc', index: 'desc' }, limit: rowsFor(limit) },
  );
  return pageOf(rows, limit, entry => [String(entry.position), String(entry.index)]);
}

function before(cursor: string) {
  const [position = NaN, index = NaN] = keyIn(cursor, 2).map(Number);
  if (!Number.isSafeInteger(position) || !Number.isSafeInteger(index)) {
    throw new InvalidCursor('this cursor is not of this list');
  }
  return { $or: [{ position: { $lt: position } }, { position, index: { $lt: index } }] };
}

/** Postings about one job, oldest first. */
export const entriesOfJob = (em: EntityManager, jobId: string) =>
  em.find(LedgerEntry, { jobId }, { orderBy: { position: 'asc', index: 'asc' } });

/** Sum of all postings: zero, or money came from nowhere or got lost. */
export async function ledgerSum(em: EntityManager): Promise<bigint> {
  const [row] = await em.execute<{ sum: string }[]>(
    `select coalesce(sum("amount_atto"), 0)::text as "sum" from ${tableOf(em, LedgerEntry)}`,
  );
  return BigInt(row!.sum);
}
