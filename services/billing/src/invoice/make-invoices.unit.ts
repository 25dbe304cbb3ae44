import type { Archive } from '@astro/archive/archive';
import { archivedTo, stateFrom } from '@astro/archive/invoice/from-archive';
import { CHARGES_MAX } from '@astro/archive/invoice/statement';
import { newId } from '@astro/event-sourcing/ids';
import type { Bus } from '@astro/jetstream/bus';
import type { CommandBus } from '@astro/jetstream/command-bus';
import { lastPositionOf } from '@astro/jetstream/event-reader';
import { reasonOf, type Log } from '@astro/jetstream/log';
import { Rounds } from '@astro/jetstream/rounds';
import type { Unit } from '@astro/jetstream/shared-work';
import type { InvoiceCommand } from '@astro/messages/billing';
import { invoiceIdOf, monthOf } from '@astro/messages/invoice-month';
import { waitForPosition } from '@astro/postgres/checkpoints';
import { invoices, monthsToInvoice, type InvoicedMonth } from '@astro/read-models/billing/invoices';
import type { EntityManager } from '@mikro-orm/postgresql';

export type MakeInvoicesOptions = {
  readonly bus: Bus;
  readonly commands: CommandBus;
  readonly archive: Archive;
  /** A fresh one for each question. */
  em(): EntityManager;
  /** How long after its end a month is closed: charges of its last moments are recorded by then. */
  readonly afterMs: number;
  readonly pollMs: number;
  readonly now: () => Date;
  readonly log: Log;
};

const monthsAtOnce = 100;
const outcomeTimeoutMs = 15_000;
const ownWriteTimeoutMs = 5_000;

/** Closes the months that are over, and drafts what tenants ask for: one process at a time, each month once. */
export const makeInvoicesUnit = (options: MakeInvoicesOptions): Unit => ({
  name: 'make-invoices',
  open: () =>
    new Rounds({
      round: signal => makeInvoices(options, signal),
      pollMs: options.pollMs,
      failed: (error, failures) =>
        options.log.error('invoices could not be made', { reason: reasonOf(error), failures }),
    }),
});

/** One round. What a crash interrupts is looked for again, and the decider knows what is made already. */
export async function makeInvoices(options: MakeInvoicesOptions, signal?: AbortSignal): Promise<void> {
  const { bus, archive, em, now, afterMs } = options;
  const openMonth = monthOf(new Date(now().getTime() - afterMs));
  const failures: string[] = [];
  for (let last: InvoicedMonth | undefined; !signal?.aborted;) {
    const query = { limit: monthsAtOnce, after: last, chargesMax: CHARGES_MAX };
    const months = await monthsToInvoice(em(), openMonth, query);
    last = months.at(-1);
    if (!last) break;
    // What was charged until now counts, and is archived in a moment.
    const throughPosition = await lastPositionOf(bus, ['billing.account']);
    if ((await archivedTo(archive)) < throughPosition) return;
    for (const month of months) {
      // A month that cannot be invoiced does not keep the others waiting.
      await make(options, month, { openMonth, throughPosition }).catch((error: unknown) =>
        failures.push(reasonOf(error)),
      );
    }
  }
  if (failures.length > 0) throw new Error(`${failures.length} invoices failed: ${failures[0]}`);
}

type At = { readonly openMonth: string; readonly throughPosition: number };

async function make(
  { archive, now, log, ...options }: MakeInvoicesOptions,
  { tenantId, month, draft, firstPosition: fromPosition }: InvoicedMonth,
  { openMonth, throughPosition }: At,
): Promise<void> {
  const { statement } = await stateFrom(archive, { tenantId, month }, { fromPosition, throughPosition });
  const command: InvoiceCommand =
    month < openMonth
      ? { type: 'IssueInvoice', data: { statement, issuedAt: now() } }
      : { type: 'DraftInvoice', data: { draft, statement } };
  const id = newId('cmd');
  const metadata = { correlationId: id, causationId: id, actor: 'service:billing', tenantId };
  const to = { type: 'billing.invoice', id: invoiceIdOf(tenantId, month) } as const;
  const sending = { id, metadata, timeoutMs: outcomeTimeoutMs };
  const outcome = await options.commands.request({ to, ...command }, sending);
  if (!outcome) throw new Error(`nobody has decided on the invoice of ${tenantId} for ${month} in time`);
  if (!outcome.accepted) throw new Error(`${tenantId}, ${month}: ${outcome.rejection}: ${outcome.detail}`);
  if (outcome.changed) log.info('an invoice is made', { tenantId, month, command: command.type });
  await waitForPosition(options.em(), invoices.name, outcome.position, ownWriteTimeoutMs);
}
