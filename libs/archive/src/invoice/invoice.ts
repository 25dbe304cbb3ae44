import type { StoredMessage } from '@astro/jetstream/stored-messages';
import { invoiceNumberOf, MONTH } from '@astro/messages/invoice-month';
import type { InvoiceStatement } from '@astro/messages/billing';
import { z } from 'zod';
import { citationOf, citedEvent, citedIn, unlessUnreadable } from '../cited-event.js';
import { chargeIn, isChargeOf, leafOf, type Amounts, type Charge, type InvoiceOf } from './charges.js';
import { rootByProof, treeOf } from './merkle.js';
import { CHARGES_MAX, type Stated } from './statement.js';

const hash = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits');
const amount = z.string().regex(/^(0|[1-9]\d{0,77})$/, 'must be a whole number of base units');

const cited = {
  eventId: z.string(),
  amountAtto: amount,
  /** The event as the stream holds it: what all else of the line is computed from. */
  event: citedEvent,
  proof: z.array(hash).max(64),
};
const ofTask = { jobId: z.string(), taskId: z.string(), meteredMs: z.int() };
const ofStorage = {
  from: z.iso.datetime(),
  through: z.iso.datetime(),
  /** In 10^-18 GiB-hours, and what the amount has of earlier periods that could not be paid. */
  gibHoursAtto: amount,
  pricePerGibHourAtto: amount,
  arrearsAtto: amount,
};
const line = z.union([z.strictObject({ ...ofTask, ...cited }), z.strictObject({ ...ofStorage, ...cited })]);

/** What a tenant was charged in one month (UTC), with the events that say so. Amounts in base units. */
export const invoiceSchema = z.strictObject({
  /** The first had what tasks cost alone, and did not tell of the fee. */
  version: z.union([z.literal(1), z.literal(2)]),
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
  /** Parts of the total: what kept content cost, and the fee; and of that, what is burned and what validators have. */
  storageAtto: amount.optional(),
  feeAtto: amount.optional(),
  burnedAtto: amount.optional(),
  validatorsAtto: amount.optional(),
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
  const version = statement.storageAtto === undefined ? 1 : 2;
  const head = { version, ...name, tenantId, month, currency: 'ASTRO', throughPosition };
  yield `${JSON.stringify(head).slice(0, -1)},"lines":[`;
  let index = 0;
  for await (const event of charges) {
    const proof = tree.proofOf(index).map(node => node.toString('hex'));
    const cited = { ...saidBy(chargeIn(event)), event: citationOf(event), proof } as Line;
    yield `${index === 0 ? '' : ','}\n${JSON.stringify(cited)}`;
    index += 1;
  }
  const foot = { totalAtto: totalAtto.toString(), ...(version === 2 && partsIn(statement)), root };
  yield `\n],${JSON.stringify(foot).slice(1)}\n`;
}

type Parts = Required<Pick<Invoice, (typeof parts)[number]>>;
const parts = ['storageAtto', 'feeAtto', 'burnedAtto', 'validatorsAtto'] as const;

const partsIn = ({ storageAtto = 0n, feeAtto, burnedAtto = 0n, validatorsAtto = 0n }: PartsOf): Parts => ({
  ...{ storageAtto: storageAtto.toString(), feeAtto: feeAtto.toString() },
  ...{ burnedAtto: burnedAtto.toString(), validatorsAtto: validatorsAtto.toString() },
});
type PartsOf = Pick<InvoiceStatement, (typeof parts)[number]>;

/** Of what an invoice is, as its version says. */
export const invoiceOf = ({ tenantId, month, version }: Invoice): InvoiceOf => ({
  ...{ tenantId, month, hasNoStorage: version === 1 },
});

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
  const rebuilt = treeOf(lines.map(({ event }) => leafOf(citedIn(event)))).root.toString('hex');
  if (rebuilt !== trustedRoot)
    flaws.push('lines: their events are not those of the root, or not all of them');
  return [...flaws, ...flawsOfParts(invoice), ...flawsOfName(invoice)];
}

/** What the events that can be read say of the parts; the first version told none. */
function flawsOfParts(invoice: Invoice): readonly string[] {
  const charges = invoice.lines.flatMap(({ event }) => chargeOf(citedIn(event)) ?? []);
  const sum = (member: keyof Amounts, of: readonly Charge[] = charges) =>
    of.reduce((total, charge) => total + charge[member], 0n);
  const told = {
    storageAtto: sum(
      'amountAtto',
      charges.filter(({ kind }) => kind === 'storage'),
    ),
    ...{ feeAtto: sum('feeAtto'), burnedAtto: sum('burnedAtto'), validatorsAtto: sum('validatorsAtto') },
  };
  const expected = invoice.version === 1 ? undefined : partsIn(told);
  return parts
    .filter(part => invoice[part] !== expected?.[part])
    .map(part => `${part}: is ${invoice[part]}, the events say ${expected?.[part]}`);
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
  const event = citedIn(cited.event);
  const place = { index, size: invoice.lines.length };
  const proof = cited.proof.map(node => Buffer.from(node, 'hex'));
  const proven = rootByProof(leafOf(event), place, proof)?.toString('hex');
  const flaws = proven === trustedRoot ? [] : [at('proof', 'does not lead from the event to the root')];
  if (!isChargeOf(invoiceOf(invoice), event))
    return [...flaws, at('event', 'is no charge of this tenant and month')];
  const charge = chargeOf(event);
  if (!charge) return [...flaws, at('event', 'cannot be read')];
  const said: Readonly<Record<string, unknown>> = saidBy(charge);
  const { event: _event, proof: _proof, ...told }: Readonly<Record<string, unknown>> = cited;
  for (const field of new Set([...Object.keys(said), ...Object.keys(told)]))
    if (told[field] !== said[field])
      flaws.push(at(field, `is ${String(told[field])}, the event says ${String(said[field])}`));
  return flaws;
}

/** Undefined when the bytes of a file are no event. */
const chargeOf = (event: StoredMessage): Charge | undefined => unlessUnreadable(() => chargeIn(event));

/** All of a line that follows from its event. */
function saidBy(charge: Charge) {
  const { eventId } = charge;
  const amountAtto = charge.amountAtto.toString();
  if (charge.kind === 'task') {
    const { jobId, taskId, meteredMs } = charge;
    return { eventId, jobId, taskId, meteredMs, amountAtto };
  }
  const { from, through, gibHoursAtto, pricePerGibHourAtto, arrearsAtto } = charge;
  return {
    ...{ eventId, from: from.toISOString(), through: through.toISOString() },
    ...{ gibHoursAtto: gibHoursAtto.toString(), pricePerGibHourAtto: pricePerGibHourAtto.toString() },
    ...{ arrearsAtto: arrearsAtto.toString(), amountAtto },
  };
}
