import type { Projection } from '@astro/event-sourcing/projection';
import type { Recorded } from '@astro/event-sourcing/recorded';
import type { AccountEvent, InvoiceEvent, InvoiceStatement } from '@astro/messages/billing';
import { draftIdOf, invoiceIdOf, monthOf } from '@astro/messages/invoice-month';
import { changeOf, tenantAccount } from '@astro/messages/ledger-accounts';
import { Atto } from '@astro/postgres/atto';
import { defineEntity, type EntityManager, type InferEntity } from '@mikro-orm/postgresql';
import { folding } from '../fold.js';
import { pageOf, rowsFor, timeAndIdIn, type Page, type PageQuery } from '../page.js';

/** A month of a tenant that something was charged in, or that it asked for: what there is to invoice. */
export const InvoicedMonth = defineEntity({
  name: 'InvoicedMonth',
  schema: 'billing',
  tableName: 'invoiced_months',
  indexes: [{ properties: ['status', 'month'] }, { properties: ['isDraftRequested'] }],
  properties: p => ({
    /** `<tenant> <month>` */
    id: p.text().primary(),
    tenantId: p.text(),
    month: p.text(),
    status: p.text().$type<'open' | 'issued'>(),
    charges: p.integer(),
    chargedAtto: p.type(Atto),
    /** Of the first charge; 0 while there is none. */
    firstPosition: p.bigint('number'),
    /** Which draft was asked for last, and whether it is still to be made. */
    draft: p.integer(),
    isDraftRequested: p.boolean(),
    /** Of the last event that changed the row: an older one, repeated, changes nothing. */
    position: p.bigint('number'),
  }),
});
export type InvoicedMonth = InferEntity<typeof InvoicedMonth>;

/** What is on record of a month: its invoice, and the drafts before. */
export const Invoice = defineEntity({
  name: 'Invoice',
  schema: 'billing',
  tableName: 'invoices',
  indexes: [{ properties: ['tenantId', 'madeAt', 'invoiceId'] }],
  properties: p => ({
    invoiceId: p.text().primary(),
    number: p.text(),
    status: p.text().$type<'issued' | 'draft'>(),
    tenantId: p.text(),
    month: p.text(),
    charges: p.integer(),
    meteredMs: p.bigint('number'),
    totalAtto: p.type(Atto),
    /** Part of the total. */
    feeAtto: p.type(Atto),
    /** Parts of the total and of the fee; null in what was stated before they were told, of what tasks cost alone. */
    storageAtto: p.type(Atto).nullable(),
    burnedAtto: p.type(Atto).nullable(),
    validatorsAtto: p.type(Atto).nullable(),
    /** Of the first and the last charge, and of the last event that was looked at. */
    fromPosition: p.bigint('number'),
    toPosition: p.bigint('number'),
    throughPosition: p.bigint('number'),
    /** Of the Merkle tree over the charges' events. */
    root: p.text(),
    madeAt: p.datetime(),
  }),
});
export type Invoice = InferEntity<typeof Invoice>;

export type InvoicingEvent = AccountEvent | InvoiceEvent;

const keyOf = ({ tenantId, month }: Pick<InvoiceStatement, 'tenantId' | 'month'>) => `${tenantId} ${month}`;

const months = folding<InvoicingEvent, InvoicedMonth>(InvoicedMonth, {
  keysOf({ type, data }, recordedAt) {
    switch (type) {
      case 'TaskCharged':
      case 'StorageCharged':
        return [keyOf({ tenantId: data.tenantId, month: monthOf(recordedAt) })];
      case 'InvoiceRequested':
        return [keyOf(data)];
      case 'InvoiceDrafted':
      case 'InvoiceIssued':
        return [keyOf(data.statement)];
    }
    return [];
  },
  evolve(month, { event: { type, data }, recordedAt, position }, id) {
    if (month !== undefined && month.position >= position) return month;
    switch (type) {
      case 'TaskCharged':
      case 'StorageCharged': {
        const { tenantId, postings } = data;
        const before = month ?? nothingCharged(id, { tenantId, month: monthOf(recordedAt) });
        const paidFrom = tenantAccount(tenantId, type === 'TaskCharged' ? 'reserved' : 'available');
        const chargedAtto = before.chargedAtto - changeOf(paidFrom, postings);
        const firstPosition = before.charges === 0 ? position : before.firstPosition;
        return { ...before, charges: before.charges + 1, chargedAtto, firstPosition, position };
      }
      case 'InvoiceRequested': {
        const { draft } = data;
        return { ...(month ?? nothingCharged(id, data)), draft, isDraftRequested: true, position };
      }
      case 'InvoiceDrafted':
        return { ...(month ?? nothingCharged(id, data.statement)), isDraftRequested: false, position };
      case 'InvoiceIssued': {
        const before = month ?? nothingCharged(id, data.statement);
        return { ...before, status: 'issued', isDraftRequested: false, position };
      }
    }
    return month;
  },
});

const nothingCharged = (
  id: string,
  { tenantId, month }: Pick<InvoiceStatement, 'tenantId' | 'month'>,
): InvoicedMonth => ({
  ...{ id, tenantId, month, status: 'open', charges: 0, chargedAtto: 0n, firstPosition: 0 },
  ...{ draft: 0, isDraftRequested: false, position: 0 },
});

const documents = folding<InvoicingEvent, Invoice>(Invoice, {
  keysOf: event => (made(event) ? [made(event)!.invoiceId] : []),
  evolve(invoice, { event, recordedAt: madeAt }) {
    const document = made(event);
    return invoice ?? (document && { ...document, madeAt });
  },
});

function made({ type, data }: InvoicingEvent): Omit<Invoice, 'madeAt'> | undefined {
  if (type !== 'InvoiceDrafted' && type !== 'InvoiceIssued') return undefined;
  const { number, statement } = data;
  const { tenantId, month, storageAtto = null, burnedAtto = null, validatorsAtto = null } = statement;
  const stated = { ...statement, storageAtto, burnedAtto, validatorsAtto };
  return type === 'InvoiceIssued'
    ? { ...stated, number, status: 'issued', invoiceId: invoiceIdOf(tenantId, month) }
    : { ...stated, number, status: 'draft', invoiceId: draftIdOf(tenantId, month, data.draft) };
}

export const invoices: Projection<InvoicingEvent, EntityManager> = {
  name: 'billing.invoices',
  version: 2,
  tables: ['invoiced_months', 'invoices'],
  reads: ['billing.account', 'billing.invoice'],
  apply: (em, recorded) => addAll(em, [recorded]),
  applyBatch: addAll,
};

async function addAll(em: EntityManager, batch: readonly Recorded<InvoicingEvent>[]): Promise<void> {
  await months.applyBatch(em, batch);
  await documents.applyBatch(em, batch);
}

/**
 * Months with charges whose draft was asked for, or which are before `month` and not invoiced; the oldest first.
 * @param query.chargesMax a month with more cannot be invoiced, and is left open
 */
export function monthsToInvoice(
  em: EntityManager,
  month: string,
  query: { readonly limit: number; readonly after?: InvoicedMonth | undefined; readonly chargesMax: number },
): Promise<InvoicedMonth[]> {
  const { limit, after, chargesMax } = query;
  const isNext = after && {
    $or: [{ month: { $gt: after.month } }, { month: after.month, id: { $gt: after.id } }],
  };
  const isDue = { $or: [{ month: { $lt: month } }, { isDraftRequested: true }] };
  const charges = { $gt: 0, $lte: chargesMax };
  const where = { status: 'open' as const, charges, $and: [isDue, ...(isNext ? [isNext] : [])] };
  return em.find(InvoicedMonth, where, { orderBy: { month: 'asc', id: 'asc' }, limit });
}

/** Undefined when nothing was charged in it. */
export async function findInvoicedMonth(
  em: EntityManager,
  tenantId: string,
  month: string,
): Promise<InvoicedMonth | undefined> {
  return (
    (await em.findOne(InvoicedMonth, { id: keyOf({ tenantId, month }), charges: { $gt: 0 } })) ?? undefined
  );
}

export const findInvoice = (em: EntityManager, tenantId: string, invoiceId: string) =>
  em.findOne(Invoice, { invoiceId, tenantId });

/** The tenant's invoices and drafts, newest first. @throws InvalidCursor */
export async function pageOfInvoices(
  em: EntityManager,
  tenantId: string,
  { cursor, limit }: PageQuery,
): Promise<Page<Invoice>> {
  const rows = await em.find(
    Invoice,
    { tenantId, ...(cursor === undefined ? {} : before(timeAndIdIn(cursor))) },
    { orderBy: { madeAt: 'desc', invoiceId: 'desc' }, limit: rowsFor(limit) },
  );
  return pageOf(rows, limit, row => [row.madeAt.toISOString(), row.invoiceId]);
}

const before = ([madeAt, invoiceId]: readonly [Date, string]) => ({
  $or: [{ madeAt: { $lt: madeAt } }, { madeAt, invoiceId: { $lt: invoiceId } }],
});
