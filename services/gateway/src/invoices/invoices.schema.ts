import { invoiceSchema } from '@astro/archive/invoice/invoice';
import { MONTH } from '@astro/messages/invoice-month';
import { z } from 'zod';
import { atto } from '../http/fields.js';
import { pageOf, pageQuery } from '../http/page.js';

const month = z.string().regex(MONTH, 'must be a year and a month, for example 2026-11').meta({
  example: '2026-11',
  description: 'In UTC; a charge belongs to the month in which it was recorded',
});

const id = z.string().meta({ example: 'invoice_0164gmhwb4nbt8z7nqs5c06p3q' });
const position = z.int().meta({ description: 'Of an event of the ledger' });

export const invoiceRequest = z.strictObject({ month }).meta({ id: 'InvoiceRequest' });
export type InvoiceRequest = z.output<typeof invoiceRequest>;

export const invoice = z
  .object({
    id,
    number: z.string().meta({ example: '2026-11-5C06P3QABC' }),
    status: z.enum(['issued', 'draft']).meta({ description: 'A draft is of a month that may go on' }),
    month,
    charges: z.int(),
    meteredMs: z.int(),
    totalAtto: atto,
    feeAtto: atto.meta({ description: 'Part of the total' }),
    storageAtto: atto.optional().meta({ description: 'Part of the total, for kept content' }),
    burnedAtto: atto.optional().meta({ description: 'Part of the fee' }),
    validatorsAtto: atto.optional().meta({ description: 'Part of the fee, for the rewards of validators' }),
    fromPosition: position,
    toPosition: position,
    throughPosition: position,
    root: z
      .string()
      .meta({ description: 'Of the Merkle tree (RFC 9162, SHA-256) over the events of all charges' }),
    madeAt: z.iso.datetime(),
  })
  .meta({ id: 'Invoice' });

export const invoicesQuery = pageQuery;
export const invoicePage = pageOf(invoice).meta({ id: 'InvoicePage' });

export const invoicePath = {
  id: z.string().regex(/^invoice_[0-9a-z]{26}(-[1-9]\d{0,2})?$/, 'must be the id of an invoice'),
};

export const invoiceDocument = invoiceSchema.meta({
  id: 'InvoiceDocument',
  description: '`npm run astro -- invoice verify FILE` recomputes it from the events that it cites',
});

export const notMadeYet = {
  description: 'It was asked for and is not made yet: look at `Location` in a moment',
  schema: z.object({ id }).meta({ id: 'PendingInvoice' }),
};
