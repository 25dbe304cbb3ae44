import { eventStreamOf } from '@astro/jetstream/subjects';
import type { StoredMessage } from '@astro/jetstream/stored-messages';
import type { Archive } from '../archive.js';
import { chargedSubjects, isChargeOf, type InvoiceOf } from './charges.js';
import { textOfInvoice, type InvoiceName } from './invoice.js';
import { stateCharges, type Stated } from './statement.js';

const stream = eventStreamOf('billing');

/** Where to look: everything up to `throughPosition` is archived. */
export type Range = {
  /** Of the first charge, where it is known. */
  readonly fromPosition?: number;
  readonly throughPosition: number;
};

/** What is archived of the ledger. */
export const archivedTo = async (archive: Archive): Promise<number> => (await archive.head(stream)).sequence;

/** @throws Error when less is archived */
export async function stateFrom(archive: Archive, of: InvoiceOf, range: Range): Promise<Stated> {
  const { throughPosition } = range;
  const to = await archivedTo(archive);
  if (throughPosition > to) throw new Error(`${stream} is archived to ${to}, not to ${throughPosition}`);
  return stateCharges(of, chargesIn(archive, of, range), throughPosition);
}

/** The invoice as JSON, piece by piece: the events are read once more, so that none has to be kept. */
export function textFrom(archive: Archive, stated: Stated, name?: InvoiceName): AsyncGenerator<string> {
  const { tenantId, month, storageAtto, ...statement } = stated.statement;
  const of = { tenantId, month, hasNoStorage: storageAtto === undefined };
  const range = { fromPosition: statement.fromPosition, throughPosition: statement.toPosition };
  return textOfInvoice(stated, chargesIn(archive, of, range), name);
}

async function* chargesIn(
  archive: Archive,
  of: InvoiceOf,
  { fromPosition = 1, throughPosition }: Range,
): AsyncGenerator<StoredMessage> {
  const subjects = chargedSubjects(of);
  for (let readTo = fromPosition - 1; ;) {
    const page = await archive.readCharges(stream, subjects, readTo, throughPosition);
    for (const event of page) if (isChargeOf(of, event)) yield event;
    const last = page.at(-1);
    if (!last) return;
    readTo = last.sequence;
  }
}
