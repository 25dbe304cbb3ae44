import { Readable } from 'node:stream';
import { Archive } from '@astro/archive/archive';
import { stateFrom, textFrom } from '@astro/archive/invoice/from-archive';
import type { Stated } from '@astro/archive/invoice/statement';
import type { Invoice } from '@astro/read-models/billing/invoices';
import { findTenant } from '@astro/read-models/registry/tenants';
import { namesOfJobs } from '@astro/read-models/scheduling/jobs';
import { logFor } from '@astro/runtime/logging';
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { GATEWAY_CONFIG, type GatewayConfig } from '../gateway.config.js';
import { Problem } from '../http/problem.js';
import { Slots } from '../http/slots.js';
import { ReadModels } from '../read-models.js';
import { JOBS_LISTED_MAX, printInvoice } from './invoice-pdf.js';

/** Each holds two hashes a charge and a page of events. */
const DOCUMENTS_AT_ONCE = 8;

/**
 * Makes what is on record of an invoice into a document, each time anew: it follows from the archive, which never
 * changes, so that nothing has to be kept of it.
 */
@Injectable()
export class InvoiceDocuments implements OnApplicationShutdown {
  private readonly archive: Archive;
  private readonly slots = new Slots(DOCUMENTS_AT_ONCE);

  constructor(
    private readonly readModels: ReadModels,
    @Inject(GATEWAY_CONFIG) { DATABASE_URL: url }: GatewayConfig,
  ) {
    const log = logFor('invoices');
    this.archive = new Archive({ url, schema: 'billing', warn: line => log.warn(line) });
  }

  onApplicationShutdown(): Promise<void> {
    return this.archive.close();
  }

  /** With every event and its proof. @throws Problem `too_many_streams`, `reads_unavailable` */
  json(invoice: Invoice): Promise<Readable> {
    return this.make(async () => {
      const { number, status } = invoice;
      return Readable.from(textFrom(this.archive, await this.stated(invoice), { number, status }));
    });
  }

  /** To read, job by job. @throws Problem `too_many_streams`, `reads_unavailable` */
  pdf(invoice: Invoice): Promise<Readable> {
    return this.make(async () => {
      const { jobs, storage } = await this.stated(invoice);
      const listed = jobs.slice(0, JOBS_LISTED_MAX).map(({ jobId }) => jobId);
      const tenant = await this.readModels.query(em => findTenant(em, invoice.tenantId));
      const nameOf = await this.readModels.query(em => namesOfJobs(em, listed));
      const printed = printInvoice({ invoice, tenantName: tenant?.name ?? '', jobs, storage, nameOf });
      return new Readable().wrap(printed);
    });
  }

  /** Gives the place back once the document is read or nobody reads it any more. */
  private async make(open: () => Promise<Readable>): Promise<Readable> {
    const release = this.slots.take();
    if (!release) throw new Problem('too_many_streams', { headers: { 'retry-after': '1' } });
    try {
      return (await open()).once('close', release);
    } catch (error) {
      release();
      throw error;
    }
  }

  /** @throws Error when the archive does not give what is on record */
  private async stated(invoice: Invoice): Promise<Stated> {
    const of = { ...invoice, hasNoStorage: typeof invoice.storageAtto !== 'bigint' };
    const stated = await stateFrom(this.archive, of, invoice).catch((cause: unknown) => {
      logFor('invoices').warn(`${invoice.invoiceId} could not be read: ${String(cause)}`);
      throw new Problem('reads_unavailable', { headers: { 'retry-after': '5' } });
    });
    const { root } = stated.statement;
    if (root !== invoice.root)
      throw new Error(`${invoice.invoiceId} is on record with ${invoice.root}, the archive gives ${root}`);
    return stated;
  }
}
