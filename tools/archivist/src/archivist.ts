import { readFileSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { connectBus, homeIn, readConnection } from '@astro/admin/connection';
import { Archive } from '@astro/archive/archive';
import { archivedTo, stateFrom, textFrom } from '@astro/archive/invoice/from-archive';
import { flawsOf, invoiceOf, invoiceSchema, type Invoice } from '@astro/archive/invoice/invoice';
import { restore } from '@astro/archive/restore';
import { verify, type Verdict } from '@astro/archive/verify';
import type { Bus } from '@astro/jetstream/bus';
import { reasonOf } from '@astro/jetstream/log';
import { eventStreamOf } from '@astro/jetstream/subjects';
import { readRequest, UsageError, type InvoiceRequest, type Request } from './request.js';

const FLAWS_TOLD_MAX = 50;

type Servers = {
  readonly natsUrl: string;
  readonly natsCredentialsFile?: string;
  readonly databaseUrl: string;
};

/** The environment names servers that no platform of this machine runs; without it, those of the state folder. */
function servers(env: NodeJS.ProcessEnv): Servers {
  const { NATS_URL: natsUrl, NATS_CREDENTIALS_FILE: natsCredentialsFile, DATABASE_URL: databaseUrl } = env;
  if (natsUrl && databaseUrl) {
    return { natsUrl, databaseUrl, ...(natsCredentialsFile && { natsCredentialsFile }) };
  }
  return readConnection(homeIn(env));
}

/** What the archive and the event streams say of each other. Gives the exit code. */
async function main(args: readonly string[]): Promise<number> {
  const request = readRequest(args);
  // What needs no server runs without one.
  if (request.kind === 'verify-invoice' && request.root !== undefined)
    return reportInvoice(readInvoice(request.file), request.root);
  const platform = servers(process.env);
  const { databaseUrl } = platform;
  if (request.kind === 'invoice' || request.kind === 'verify-invoice')
    return inArchive(databaseUrl, 'billing', archive => performInvoice(request, archive));
  const bus = await connectBus(platform, 'archivist');
  try {
    return await perform(request, bus, databaseUrl);
  } finally {
    await bus.close();
  }
}

function inArchive<Result>(
  url: string,
  context: string,
  use: (archive: Archive) => Promise<Result>,
): Promise<Result> {
  const archive = new Archive({ url, schema: context });
  return use(archive).finally(() => archive.close());
}

async function performInvoice(request: InvoiceRequest, archive: Archive): Promise<number> {
  if (request.kind === 'invoice') {
    const { tenantId, month } = request;
    const throughPosition = await archivedTo(archive);
    const stated = await stateFrom(archive, { tenantId, month }, { throughPosition });
    await pipeline(textFrom(archive, stated), process.stdout, { end: false });
    return 0;
  }
  const invoice = readInvoice(request.file);
  const { throughPosition } = invoice;
  const { statement } = await stateFrom(archive, invoiceOf(invoice), { throughPosition });
  return reportInvoice(invoice, statement.root);
}

/** @throws Error naming the field that breaks its rule */
function readInvoice(file: string): Invoice {
  const read = invoiceSchema.safeParse(JSON.parse(readFileSync(file, 'utf8')));
  if (read.success) return read.data;
  const [{ path, message } = { path: [], message: 'is no invoice' }] = read.error.issues;
  throw new Error(`${file}: ${path.join('.')}: ${message}`);
}

function reportInvoice(invoice: Invoice, trustedRoot: string): number {
  const flaws = flawsOf(invoice, trustedRoot);
  const what = `invoice of ${invoice.tenantId} for ${invoice.month}`;
  if (flaws.length === 0) {
    console.log(`${what}: sound; ${invoice.lines.length} charges, ${invoice.totalAtto} base units`);
    return 0;
  }
  console.log(`${what}: ${flaws.length} flaws`);
  for (const flaw of flaws.slice(0, FLAWS_TOLD_MAX)) console.log(`  ${flaw}`);
  return 1;
}

async function perform(
  request: Exclude<Request, InvoiceRequest>,
  bus: Bus,
  databaseUrl: string,
): Promise<number> {
  if (request.kind === 'restore') {
    const stream = eventStreamOf(request.context);
    const { messages } = await inArchive(databaseUrl, request.context, archive =>
      restore(bus, archive, stream),
    );
    console.log(`${stream} holds the ${messages} events of its archive`);
    return 0;
  }
  let isSound = true;
  for (const context of request.contexts) {
    const { allowedLagMs } = request;
    const verdict = await inArchive(databaseUrl, context, archive =>
      verify(bus, archive, eventStreamOf(context), { allowedLagMs }),
    );
    report(verdict);
    if (verdict.findings.length > 0) isSound = false;
  }
  return isSound ? 0 : 1;
}

function report({ stream, archivedTo, streamedTo, findings, isCutShort }: Verdict): void {
  const state = `archived to ${archivedTo}, stream ends at ${streamedTo}`;
  if (findings.length === 0) return console.log(`${stream}: sound; ${state}`);
  console.log(`${stream}: ${findings.length} findings${isCutShort ? ' and maybe more' : ''}; ${state}`);
  for (const { says } of findings) console.log(`  ${says}`);
}

/** The command line of `npm run archive`. Gives the exit code; what is wrong is told on the stream for errors. */
export async function runArchivist(args: readonly string[]): Promise<number> {
  try {
    return await main(args);
  } catch (error) {
    console.error(error instanceof UsageError ? error.message : reasonOf(error));
    return error instanceof UsageError ? 2 : 1;
  }
}
