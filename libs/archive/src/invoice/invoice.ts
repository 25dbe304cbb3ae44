import type { StoredMessage } from '@astro/jetstream/stored-messages';
import { Unprocessable } from '@astro/jetstream/unprocessable';
import { CodecError } from '@astro/messages/codec';
import { invoiceNumberOf, MONTH } from '@astro/messages/invoice-month';
import { z } from 'zod';
import { chargeIn, isChargeOf, leafOf, type Charge } from './charges.js';
import { rootByProof, treeOf } from './merkle.js';
import { CHARGES_MAX, type Stated } from './statement.js';

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
  /** Of one on record. */
  number: z.string().optional(),
  /** A draft is of a month that may have gone on since. */
  status: z.enum(['issued', 'draft']).optional(),
  tenantId: z.string(),
  month: z.string().regex(MONTH, 'must be a year and a month, for example 2026-11'),
  currency: z.literal('ASTRO'),
  /** The archive reached to here; a month that goes on has more later. */
  throughPosition: z.int().min(0),
  lines: z.array(line).max(CHARGES_MAX),
  totalAtto: amount,
  /** Of the Merkle tree over the events of all lines. */
  root: hash,
});
export type Invoice = z.infer<typeof invoiceSchema>;
export type InvoiceName = Required<Pick<Invoice, 'number' | 'status'>>;
type Line = Invoice['lines'][number];

/**
 * The invoice as JSON, a line of text for each of its lines.
 * @param charges those that were stated, once more
 */
export async function* textOfInvoice(
  { statement, tree }: Stated,
  charges: AsyncIterable<StoredMessage>,
  name?: InvoiceName,
): AsyncGenerator<string> {
  const { tenantId, month, throughPosition, totalAtto, root } = statement;
  const head = { version: 1, ...name, tenantId, month, currency: 'ASTRO', throughPosition };
  yield `${JSON.stringify(head).slice(0, -1)},"lines":[`;
  let index = 0;
  for await (const event of charges) {
    const proof = tree.proofOf(index).map(node => node.toString('hex'));
    const cited: Line = { ...saidBy(chargeIn(event)), event: citationOf(event), proof };
    yield `${index === 0 ? '' : ','}\n${JSON.stringify(cited)}`;
    index += 1;
  }
  const foot = { totalAtto: totalAtto.toString(), root };
  yield `\n],${JSON.stringify(foot).slice(1)}\n`;
}

/**
 * What is wrong with an invoice; nothing when every line is what its event says, every event is in the tree of the
 * trusted root, and no event of that tree is left out.
 */
export function flawsOf(invoice: Invoice, trustedRoot: string): readonly string[] {
  const { lines, root, totalAtto, throughPosition } = invoice;
  const flaws = lines.flatMap((cited, index) => flawsOfLine(invoice, cited, index, trustedRoot));
  const total = lines.reduce((sum, { amountAtto }) => sum + BigInt(amountAtto), 0n).toString();
  if (total !== totalAtto) flaws.push(`totalAtto: is ${totalAtto}, the lines sum to ${total}`);
  if (root !== trustedRoot) flaws.push(`root: is ${root}, the events' is ${trustedRoot}`);
  const last = lines.at(-1)?.event.position ?? 0;
  if (last > throughPosition)
    flaws.push(`throughPosition: is ${throughPosition}, the last event is at ${last}`);
  const rebuilt = treeOf(lines.map(({ event }) => leafOf(eventOf(event)))).root.toString('hex');
  if (rebuilt !== trustedRoot)
    flaws.push('lines: their events are not those of the root, or not all of them');
  return [...flaws, ...flawsOfName(invoice)];
}

/** The number follows from whose invoice it is; only a draft's says which draft. */
function flawsOfName({ number, status, tenantId, month }: Invoice): readonly string[] {
  if (number === undefined && status === undefined) return [];
  const [, draft] = /-D([1-9]\d{0,8})$/.exec(number ?? '') ?? [];
  const expected = invoiceNumberOf(tenantId, month, draft === undefined ? undefined : Number(draft));
  const flaws = number === expected ? [] : [`number: is ${number}, of this tenant and month is ${expected}`];
  const isOf = draft === undefined ? 'issued' : 'draft';
  return status === isOf ? flaws : [...flaws, `status: is ${status}, the number is of one that is ${isOf}`];
}

function flawsOfLine(invoice: Invoice, cited: Line, index: number, trustedRoot: string): string[] {
  const at = (field: string, rule: string) => `lines[${index}].${field}: ${rule}`;
  const event = eventOf(cited.event);
  const place = { index, size: invoice.lines.length };
  const proof = cited.proof.map(node => Buffer.from(node, 'hex'));
  const proven = rootByProof(leafOf(event), place, proof)?.toString('hex');
  const flaws = proven === trustedRoot ? [] : [at('proof', 'does not lead from the event to the root')];
  if (!isChargeOf(invoice, event)) return [...flaws, at('event', 'is no charge of this tenant and month')];
  const said = readBy(event);
  if (!said) return [...flaws, at('event', 'cannot be read')];
  for (const field of ['eventId', 'jobId', 'taskId', 'meteredMs', 'amountAtto'] as const)
    if (cited[field] !== said[field])
      flaws.push(at(field, `is ${cited[field]}, the event says ${said[field]}`));
  return flaws;
}

/** Undefined when the bytes of a file are no event. */
function readBy(event: StoredMessage): Said | undefined {
  try {
    return saidBy(chargeIn(event));
  } catch (error) {
    if (error instanceof CodecError || error instanceof Unprocessable) return undefined;
    throw error;
  }
}

type Said = Pick<Line, 'eventId' | 'jobId' | 'taskId' | 'meteredMs' | 'amountAtto'>;

const saidBy = ({ eventId, jobId, taskId, meteredMs, amountAtto }: Charge): Said => ({
  ...{ eventId, jobId, taskId, meteredMs },
  amountAtto: amountAtto.toString(),
});

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
