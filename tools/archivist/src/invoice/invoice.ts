import { linkOf } from '@astro/archive/chain';
import type { Recorded } from '@astro/event-sourcing/recorded';
import { recordedFrom } from '@astro/jetstream/delivered';
import { headersIn } from '@astro/jetstream/received';
import type { StoredMessage } from '@astro/jetstream/stored-messages';
import { eventSubject } from '@astro/jetstream/subjects';
import { Unprocessable } from '@astro/jetstream/unprocessable';
import type { TaskCharged } from '@astro/messages/billing';
import { CodecError } from '@astro/messages/codec';
import { changeOf, tenantAccount } from '@astro/messages/ledger-accounts';
import { z } from 'zod';
import { leafHash, rootByProof, treeOf } from './merkle.js';

/** Of one invoice: what fits into a file that can be read at once. */
const LINES_MAX = 100_000;

const hash = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits');
const bytes = z.base64();
const amount = z.string().regex(/^(0|[1-9]\d{0,77})$/, 'must be a whole number of base units');

const line = z.strictObject({
  eventId: z.string(),
  jobId: z.string(),
  taskId: z.string(),
  meteredMs: z.int(),
  amountAtto: amount,
  /** The event as the stream holds it: what everything above is computed from. */
  event: z.strictObject({
    position: z.int().min(1),
    subject: z.string(),
    headers: bytes,
    payload: bytes,
    recordedAtNanos: z.string().regex(/^\d{1,19}$/),
  }),
  proof: z.array(hash).max(64),
});

/** What a tenant was charged in one month (UTC), with the events that say so. Amounts in base units. */
export const invoiceSchema = z.strictObject({
  version: z.literal(1),
  tenantId: z.string(),
  month: z.string().regex(/^\d{4}-(0[1-9]|1[0-2])$/, 'must be a year and a month, for example 2026-11'),
  currency: z.literal('ASTRO'),
  /** The archive reached to here; a month that goes on has more later. */
  throughPosition: z.int().min(0),
  lines: z.array(line).max(LINES_MAX),
  totalAtto: amount,
  /** Of the Merkle tree over the events of all lines. */
  root: hash,
});
export type Invoice = z.infer<typeof invoiceSchema>;
export type InvoiceOf = Pick<Invoice, 'tenantId' | 'month'>;
type Line = Invoice['lines'][number];

/** @param events of the stream in its order, to `throughPosition`; those of others are passed over */
export function makeInvoice(
  of: InvoiceOf,
  events: readonly StoredMessage[],
  throughPosition: number,
): Invoice {
  const charges = events.filter(event => isChargeOf(of, event));
  if (charges.length > LINES_MAX)
    throw new RangeError(`${charges.length} charges are more than ${LINES_MAX}`);
  const tree = treeOf(charges.map(leafOf));
  const lines = charges.map((event, index) => ({
    ...saidBy(event, of.tenantId),
    event: citationOf(event),
    proof: tree.proofs[index]!.map(node => node.toString('hex')),
  }));
  const root = tree.root.toString('hex');
  const totalAtto = sumOf(lines);
  return { version: 1, ...of, currency: 'ASTRO', throughPosition, lines, totalAtto, root };
}

/**
 * What is wrong with an invoice; nothing when every line is what its event says, every event is in the tree of the
 * trusted root, and no event of that tree is left out.
 */
export function flawsOf(invoice: Invoice, trustedRoot: string): readonly string[] {
  const { lines, root, totalAtto } = invoice;
  const flaws = lines.flatMap((cited, index) => flawsOfLine(invoice, cited, index, trustedRoot));
  const total = sumOf(lines);
  if (total !== totalAtto) flaws.push(`totalAtto: is ${totalAtto}, the lines sum to ${total}`);
  if (root !== trustedRoot) flaws.push(`root: is ${root}, the events' is ${trustedRoot}`);
  const rebuilt = treeOf(lines.map(({ event }) => leafOf(eventOf(event)))).root.toString('hex');
  if (rebuilt !== trustedRoot)
    flaws.push('lines: their events are not those of the root, or not all of them');
  return flaws;
}

function flawsOfLine(invoice: Invoice, cited: Line, index: number, trustedRoot: string): string[] {
  const at = (field: string, rule: string) => `lines[${index}].${field}: ${rule}`;
  const event = eventOf(cited.event);
  const place = { index, size: invoice.lines.length };
  const proof = cited.proof.map(node => Buffer.from(node, 'hex'));
  const proven = rootByProof(leafOf(event), place, proof)?.toString('hex');
  const flaws = proven === trustedRoot ? [] : [at('proof', 'does not lead from the event to the root')];
  if (!isChargeOf(invoice, event)) return [...flaws, at('event', 'is no charge of this tenant and month')];
  const said = readBy(event, invoice.tenantId);
  if (!said) return [...flaws, at('event', 'cannot be read')];
  for (const field of ['eventId', 'jobId', 'taskId', 'meteredMs', 'amountAtto'] as const)
    if (cited[field] !== said[field])
      flaws.push(at(field, `is ${cited[field]}, the event says ${said[field]}`));
  return flaws;
}

/** Undefined when the bytes of a file are no event. */
function readBy(event: StoredMessage, tenantId: string): Said | undefined {
  try {
    return saidBy(event, tenantId);
  } catch (error) {
    if (error instanceof CodecError || error instanceof Unprocessable) return undefined;
    throw error;
  }
}

type Said = Pick<Line, 'eventId' | 'jobId' | 'taskId' | 'meteredMs' | 'amountAtto'>;

function saidBy(message: StoredMessage, tenantId: string): Said {
  const { id, event } = recordedIn(message);
  const { jobId, taskId, meteredMs, postings } = event.data as TaskCharged;
  const amountAtto = (-changeOf(tenantAccount(tenantId, 'reserved'), postings)).toString();
  return { eventId: id, jobId, taskId, meteredMs, amountAtto };
}

const recordedIn = ({ headers, payload, sequence, ...message }: StoredMessage): Recorded =>
  recordedFrom({
    subject: message.subject,
    headers: headersIn(Buffer.from(headers)),
    data: payload,
    position: sequence,
    recordedAt: dateOf(message.recordedAtNanos),
  });

function isChargeOf({ tenantId, month }: InvoiceOf, { subject, recordedAtNanos }: StoredMessage): boolean {
  const charged = eventSubject({ type: 'billing.account', id: tenantId }, 'TaskCharged');
  return subject === charged && dateOf(recordedAtNanos).toISOString().startsWith(`${month}-`);
}

const dateOf = (nanos: bigint) => new Date(Number(nanos / 1_000_000n));

/** The link that the archive's chain has for the event after a hash of zeros: position, time, subject and bytes. */
const leafOf = (event: StoredMessage): Buffer => leafHash(linkOf(new Uint8Array(32), event));

const citationOf = (event: StoredMessage): Line['event'] => ({
  position: event.sequence,
  subject: event.subject,
  headers: Buffer.from(event.headers).toString('base64'),
  payload: Buffer.from(event.payload).toString('base64'),
  recordedAtNanos: event.recordedAtNanos.toString(),
});

const eventOf = ({ position, subject, headers, payload, recordedAtNanos }: Line['event']): StoredMessage => ({
  sequence: position,
  subject,
  headers: Buffer.from(headers, 'base64'),
  payload: Buffer.from(payload, 'base64'),
  recordedAtNanos: BigInt(recordedAtNanos),
});

const sumOf = (lines: readonly Pick<Line, 'amountAtto'>[]): string =>
  lines.reduce((sum, { amountAtto }) => sum + BigInt(amountAtto), 0n).toString();
