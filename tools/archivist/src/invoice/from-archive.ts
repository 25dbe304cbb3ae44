import type { Archive } from '@astro/archive/archive';
import { eventStreamOf, eventSubject } from '@astro/jetstream/subjects';
import type { StoredMessage } from '@astro/jetstream/stored-messages';
import { makeInvoice, type Invoice, type InvoiceOf } from './invoice.js';

/** The invoice by what is archived now, or was at `throughPosition`. @throws Error when less is archived */
export async function invoiceFrom(
  archive: Archive,
  of: InvoiceOf,
  throughPosition?: number,
): Promise<Invoice> {
  const stream = eventStreamOf('billing');
  const { sequence: archivedTo } = await archive.head(stream);
  const through = throughPosition ?? archivedTo;
  if (through > archivedTo) throw new Error(`${stream} is archived to ${archivedTo}, not to ${through}`);
  const charged = eventSubject({ type: 'billing.account', id: of.tenantId }, 'TaskCharged');
  const events: StoredMessage[] = [];
  let readTo = 0;
  while (readTo < through) {
    const page = await archive.read(stream, readTo);
    const last = page.at(-1);
    if (!last) throw new Error(`the archive of ${stream} ends at ${readTo} before its head at ${archivedTo}`);
    readTo = last.sequence;
    for (const event of page) if (event.subject === charged && event.sequence <= through) events.push(event);
  }
  return makeInvoice(of, events, through);
}
