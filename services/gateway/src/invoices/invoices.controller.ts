import { setTimeout as sleep } from 'node:timers/promises';
import { CHARGES_MAX } from '@astro/archive/invoice/statement';
import type { Directed } from '@astro/event-sourcing/reactor';
import type { InvoiceCommand } from '@astro/messages/billing';
import { draftIdOf, invoiceIdOf } from '@astro/messages/invoice-month';
import {
  findInvoice,
  findInvoicedMonth,
  pageOfInvoices,
  type Invoice,
  type InvoicedMonth,
} from '@astro/read-models/billing/invoices';
import { Body, Controller, Inject, Param, Query, Req, Res, StreamableFile } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { Commands } from '../commands.js';
import { GATEWAY_CONFIG, type GatewayConfig } from '../gateway.config.js';
import { FromCaller, type Caller } from '../http/caller.js';
import { decodeCursor } from '../http/cursor.js';
import { toPage } from '../http/page.js';
import { Problem } from '../http/problem.js';
import { Operation } from '../openapi/operation.js';
import { ReadModels } from '../read-models.js';
import { assertAccepted } from '../rejections.js';
import { InvoiceDocuments } from './invoice-documents.js';
import * as schema from './invoices.schema.js';
import { wantsPdf } from './media-type.js';

const INVOICES = 'billing.invoices';
const LOOK_EVERY_MS = 50;

@Controller()
export class InvoicesController {
  constructor(
    private readonly commands: Commands,
    private readonly readModels: ReadModels,
    private readonly documents: InvoiceDocuments,
    @Inject(GATEWAY_CONFIG) private readonly config: GatewayConfig,
  ) {}

  @Operation('GET', '/v1/invoices', {
    summary: 'List your invoices and drafts, newest first',
    description:
      'A month with charges, for work or for kept content, is invoiced once, about an hour after its end.',
    callers: ['tenant'],
    query: schema.invoicesQuery,
    answers: { 200: { description: 'A page', schema: schema.invoicePage } },
    problems: ['cursor_invalid'],
  })
  async list(
    @Query() { limit, cursor }: z.output<typeof schema.invoicesQuery>,
    @FromCaller() { id: tenantId }: Caller,
  ): Promise<z.infer<typeof schema.invoicePage>> {
    const scope = `invoices ${tenantId}`;
    const query = { limit, cursor: decodeCursor(scope, cursor) };
    return toPage(await this.readModels.query(em => pageOfInvoices(em, tenantId, query)), scope, toResource);
  }

  @Operation('GET', '/v1/invoices/:id', {
    summary: 'Read an invoice or a draft',
    description:
      'As JSON with every event that it follows from and its proof, or, with `Accept: application/pdf`, to read. ' +
      'Both are made of the archived events at each reading, and come out the same.',
    callers: ['tenant'],
    pathParameters: schema.invoicePath,
    answers: {
      200: { description: 'The document', schema: schema.invoiceDocument, alsoAs: 'application/pdf' },
    },
    problems: ['invoice_not_found', 'too_many_streams'],
  })
  async read(
    @Param('id') invoiceId: string,
    @FromCaller() { id: tenantId }: Caller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<StreamableFile> {
    const invoice = await this.readModels.query(em => findInvoice(em, tenantId, invoiceId));
    if (!invoice) throw new Problem('invoice_not_found');
    const isPdf = wantsPdf(request.headers.accept);
    const document = isPdf ? await this.documents.pdf(invoice) : await this.documents.json(invoice);
    reply.header('vary', 'accept');
    return new StreamableFile(document, {
      type: isPdf ? 'application/pdf' : 'application/json; charset=utf-8',
      disposition: `inline; filename="${invoice.number}.${isPdf ? 'pdf' : 'json'}"`,
    });
  }

  @Operation('POST', '/v1/invoices', {
    summary: 'Have a month drafted as far as it has come',
    description:
      'A month that is invoiced has its invoice, and no more drafts. A month has at most 100 drafts.',
    callers: ['tenant'],
    body: schema.invoiceRequest,
    answers: {
      201: { description: 'Drafted', schema: schema.invoice },
      200: { description: 'The month is invoiced: this is its invoice', schema: schema.invoice },
      202: schema.notMadeYet,
    },
    problems: ['nothing_to_invoice', 'command_refused'],
  })
  async draft(
    @Body() { month }: schema.InvoiceRequest,
    @FromCaller() { id: tenantId }: Caller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<z.infer<typeof schema.invoice> | { id: string }> {
    const before = await this.month(tenantId, month);
    if (before.charges > CHARGES_MAX)
      throw new Problem('command_refused', { detail: `An invoice has at most ${CHARGES_MAX} charges` });
    if (before.status === 'open') {
      const outcome = await this.commands.request(requestOf(tenantId, month), request);
      if (!outcome) return pending(reply, draftIdOf(tenantId, month, nextDraft(before)));
      assertAccepted(outcome);
      await this.readModels.includes(INVOICES, outcome.position);
    }
    // Meanwhile the month may have been invoiced.
    const { status, draft } = await this.month(tenantId, month);
    const isIssued = status === 'issued';
    const id = isIssued ? invoiceIdOf(tenantId, month) : draftIdOf(tenantId, month, draft);
    const made = await this.awaited(tenantId, id);
    if (!made) return pending(reply, id);
    reply.status(isIssued ? 200 : 201).header('location', `/v1/invoices/${id}`);
    return toResource(made);
  }

  private async month(tenantId: string, month: string) {
    const found = await this.readModels.query(em => findInvoicedMonth(em, tenantId, month));
    if (!found) throw new Problem('nothing_to_invoice', { detail: `Nothing was charged in ${month}` });
    return found;
  }

  private async awaited(tenantId: string, invoiceId: string): Promise<Invoice | undefined> {
    const deadline = performance.now() + this.config.COMMAND_TIMEOUT_MS;
    for (;;) {
      const made = await this.readModels.query(em => findInvoice(em, tenantId, invoiceId));
      if (made || performance.now() > deadline) return made ?? undefined;
      await sleep(LOOK_EVERY_MS);
    }
  }
}

function pending(reply: FastifyReply, id: string): { id: string } {
  reply.status(202).header('location', `/v1/invoices/${id}`);
  return { id };
}

/** The one that is on its way, or the one that a request leads to. */
const nextDraft = ({ draft, isDraftRequested }: InvoicedMonth) => (isDraftRequested ? draft : draft + 1);

const requestOf = (tenantId: string, month: string): Directed<InvoiceCommand> => ({
  to: { type: 'billing.invoice', id: invoiceIdOf(tenantId, month) },
  type: 'RequestInvoice',
  data: { tenantId, month, requestedAt: new Date() },
});

const toResource = ({ invoiceId: id, totalAtto, feeAtto, madeAt, ...row }: Invoice) => ({
  ...{ id, number: row.number, status: row.status, month: row.month },
  ...{ charges: row.charges, meteredMs: row.meteredMs },
  ...{ totalAtto: totalAtto.toString(), feeAtto: feeAtto.toString() },
  ...partsOf(row),
  ...{ fromPosition: row.fromPosition, toPosition: row.toPosition, throughPosition: row.throughPosition },
  root: row.root,
  madeAt: madeAt.toISOString(),
});

/** Not told of what was stated before kept content was on invoices. */
function partsOf({ storageAtto, burnedAtto, validatorsAtto }: Partial<Invoice>) {
  if (typeof storageAtto !== 'bigint') return {};
  return {
    storageAtto: storageAtto.toString(),
    burnedAtto: `${burnedAtto ?? 0n}`,
    validatorsAtto: `${validatorsAtto ?? 0n}`,
  };
}
