import type { Projection } from '@astro/event-sourcing/projection';
import type { Recorded } from '@astro/event-sourcing/recorded';
import type { AccountEvent, SettlementEvent } from '@astro/messages/billing';
import { Atto } from '@astro/postgres/atto';
import { insertRows, lastRowOfEach } from '@astro/postgres/rows';
import { tableOf } from '@astro/postgres/stage';
import {
  defineEntity,
  type EntityManager,
  type InferEntity,
  type RequiredEntityData,
} from '@mikro-orm/postgresql';
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
    position: p.bigint('number').primary(),
    /** Place of the posting in its event. */
    index: p.integer().primary(),
    eventId: p.text(),
    account: p.text(),
    amountAtto: p.type(Atto),
    /** Of the account, after this posting. */
    balanceAtto: p.type(Atto),
    jobId: p.text().nullable(),
    taskId: p.text().nullable(),
    kind: p.text().$type<LedgerEvent['type']>(),
    recordedAt: p.datetime(),
  }),
});
export type LedgerEntry = InferEntity<typeof LedgerEntry>;

export const ledger: Projection<LedgerEvent, EntityManager> = {
  name: 'billing.ledger',
  version: 4,
  tables: ['ledger'],
  reads: ['billing.account', 'billing.settlement'],
  apply: (em, recorded) => addEntries(em, [recorded]),
  applyBatch: addEntries,
};

/** The balances go on from the last entry of each account. An account that stands further has these entries already. */
async function addEntries(em: EntityManager, batch: readonly Recorded<LedgerEvent>[]): Promise<void> {
  const postings = batch.flatMap(entriesIn);
  if (postings.length === 0) return;
  const accounts = [...new Set(postings.map(({ account }) => account))];
  const last = await lastRowOfEach(em, LedgerEntry, 'account', accounts, ['position', 'index']);
  const before = new Map(last.map(entry => [entry.account, entry.position]));
  const balances = new Map(last.map(entry => [entry.account, entry.balanceAtto]));
  const entries: LedgerEntry[] = [];
  for (const posting of postings) {
    const { account, position } = posting;
    if (position <= (before.get(account) ?? 0)) continue;
    const balanceAtto = (balances.get(account) ?? 0n) + posting.amountAtto;
    balances.set(account, balanceAtto);
    entries.push({ ...posting, balanceAtto });
  }
  await insertRows(em, LedgerEntry, entries as RequiredEntityData<LedgerEntry>[], 'fail');
}

function entriesIn({ id, event: { type: kind, data }, recordedAt, position }: Recorded<LedgerEvent>) {
  if (!('postings' in data)) return [];
  const about = {
    eventId: id,
    kind,
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

/** What each account held after the event at `asOf`; zero when nothing had been posted to it. */
export async function balancesAt<Account extends string>(
  em: EntityManager,
  accounts: Readonly<Record<Account, string>>,
  asOf: number,
): Promise<Readonly<Record<Account, bigint>>> {
  const balances: Partial<Record<Account, bigint>> = {};
  for (const name of Object.keys(accounts) as Account[]) {
    const [entry] = await em.find(
      LedgerEntry,
      { account: accounts[name], position: { $lte: asOf } },
      { orderBy: { position: 'desc', index: 'desc' }, limit: 1 },
    );
    balances[name] = entry?.balanceAtto ?? 0n;
  }
  return balances as Record<Account, bigint>;
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
