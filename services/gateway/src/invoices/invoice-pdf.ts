import { sumOf, type JobCharges, type StorageCharges, type Sums } from '@astro/archive/invoice/statement';
import { beginOf, endOf } from '@astro/messages/invoice-month';
import type { Invoice } from '@astro/read-models/billing/invoices';
import PDFDocument from 'pdfkit';
import { clockTime, inAstro, partsOf, perHour } from './amounts.js';

export type PrintedInvoice = {
  readonly invoice: Invoice;
  readonly tenantName: string;
  /** In the order in which they are listed. */
  readonly jobs: readonly JobCharges[];
  /** One more line, where content was kept. */
  readonly storage?: StorageCharges | undefined;
  readonly nameOf: ReadonlyMap<string, string>;
};

/** Jobs that are listed one by one; what others cost is one more line. */
export const JOBS_LISTED_MAX = 1_000;

const INK = '#1b2333';
const MUTED = '#6b7488';
const FAINT = '#b4bac8';
const ACCENT = '#2f5bd8';
const WASH = '#f3f5fa';
const DRAFT = '#b4541a';
const PLAIN = 'Helvetica';
const BOLD = 'Helvetica-Bold';
const FIXED = 'Courier';

const LEFT = 50;
const WIDTH = 495;
const RIGHT = LEFT + WIDTH;
/** Rows end here; the foot is below. */
const BOTTOM = 770;
const ROW_HEIGHT = 27;

/** Where the numbers of a row end, from the left. */
const column = { charges: LEFT + 172, time: LEFT + 238, price: LEFT + 296, fee: LEFT + 392, amount: RIGHT };
const JOB_WIDTH = 136;
const AMOUNT_WIDTH = 94;
const TOTAL_WIDTH = 170;

type Pdf = PDFKit.PDFDocument;

/**
 * An invoice to read and to file: what the JSON says job by job, without its events. Every amount has all its places,
 * so that what is printed sums up.
 * @param compress off lets a reader find the text without inflating it
 */
export function printInvoice(printed: PrintedInvoice, { compress = true } = {}): Pdf {
  const { invoice } = printed;
  const title = invoice.status === 'draft' ? `Draft invoice ${invoice.number}` : `Invoice ${invoice.number}`;
  const dates = { CreationDate: invoice.madeAt, ModDate: invoice.madeAt };
  const info = { Title: title, Author: 'Astro', Subject: `Charges of ${invoice.month}`, ...dates };
  const pdf = new PDFDocument({ size: 'A4', margin: 0, bufferPages: true, compress, info, lang: 'en' });
  let y = head(pdf, printed);
  y = listJobs(pdf, printed, y);
  y = totals(pdf, invoice, y);
  proof(pdf, invoice, y);
  foot(pdf, invoice);
  pdf.end();
  return pdf;
}

function head(pdf: Pdf, { invoice, tenantName }: PrintedInvoice): number {
  const isDraft = invoice.status === 'draft';
  pdf.rect(0, 0, pdf.page.width, 6).fill(isDraft ? DRAFT : ACCENT);
  write(pdf, 'ASTRO', LEFT, 44, { font: BOLD, size: 20, spacing: 3 });
  write(pdf, 'Marketplace of AI compute', LEFT, 69, { size: 8.5, color: MUTED });
  writeRight(pdf, isDraft ? 'DRAFT INVOICE' : 'INVOICE', RIGHT, 44, {
    ...{ font: BOLD, size: 20, color: isDraft ? DRAFT : ACCENT },
  });
  writeRight(pdf, invoice.number, RIGHT, 69, { font: FIXED, size: 10 });

  const lastDay = new Date(endOf(invoice.month).getTime() - 1);
  label(pdf, 'BILLED TO', LEFT, 112);
  write(pdf, printable(tenantName), LEFT, 125, { font: BOLD, size: 11, width: 230 });
  write(pdf, invoice.tenantId, LEFT, 141, { size: 8, color: MUTED });
  label(pdf, 'PERIOD', LEFT + 250, 112);
  const period = `${dayOf(beginOf(invoice.month))} – ${dayOf(lastDay)}`;
  write(pdf, period, LEFT + 250, 125, { size: 9.5 });
  write(pdf, isDraft ? 'UTC, as far as it had come' : 'UTC, both days whole', LEFT + 250, 141, {
    ...{ size: 8, color: MUTED },
  });
  label(pdf, isDraft ? 'DRAFTED' : 'ISSUED', LEFT + 400, 112);
  write(pdf, dayOf(invoice.madeAt), LEFT + 400, 125, { size: 9.5 });
  write(pdf, `${invoice.madeAt.toISOString().slice(11, 19)} UTC`, LEFT + 400, 141, { size: 8, color: MUTED });

  pdf.roundedRect(LEFT, 168, WIDTH, 56, 4).fill(WASH);
  const figures: readonly (readonly [string, string])[] = [
    [isDraft ? 'TOTAL SO FAR' : 'TOTAL', `${inAstro(invoice.totalAtto)} ASTRO`],
    ['CHARGES', invoice.charges.toLocaleString('en-US')],
    ['METERED TIME', clockTime(invoice.meteredMs)],
  ];
  for (const [index, [name, value]] of figures.entries()) {
    const x = LEFT + [16, 290, 385][index]!;
    label(pdf, name, x, 181);
    const style = { font: BOLD, size: index === 0 ? 14 : 11, width: index === 0 ? 262 : 90 };
    write(pdf, value, x, 196, { ...fitted(pdf, value, style), width: undefined });
  }
  return 246;
}

function listJobs(pdf: Pdf, { jobs, storage, nameOf }: PrintedInvoice, top: number): number {
  let y = tableHead(pdf, top);
  const row = (job: Sums, name: string, under: string) => {
    if (y + ROW_HEIGHT > BOTTOM) {
      pdf.addPage();
      y = tableHead(pdf, 50);
    }
    tableRow(pdf, job, { name, under }, y);
    y += ROW_HEIGHT;
  };
  for (const job of jobs.slice(0, JOBS_LISTED_MAX)) {
    row(job, printable(nameOf.get(job.jobId) ?? 'a job'), job.jobId);
  }
  const others = jobs.slice(JOBS_LISTED_MAX);
  if (others.length > 0)
    row(sumOf(others), `${others.length.toLocaleString('en-US')} more jobs`, 'each of them is in the JSON');
  if (storage) row(storage, 'Kept content', `${shortened(storage.gibHoursAtto)} GiB-hours`);
  return y;
}

function tableHead(pdf: Pdf, y: number): number {
  label(pdf, 'JOB', LEFT, y);
  const heads = {
    charges: 'CHARGES',
    time: 'METERED',
    price: 'PER HOUR',
    fee: 'FEE INCLUDED',
    amount: 'AMOUNT',
  };
  for (const name of ['charges', 'time', 'price', 'fee', 'amount'] as const)
    writeRight(pdf, heads[name], column[name], y, { font: BOLD, size: 6.5, color: MUTED, spacing: 0.4 });
  rule(pdf, y + 12, INK, 0.8);
  return y + 19;
}

type Titles = { readonly name: string; readonly under: string };

function tableRow(pdf: Pdf, job: Sums, { name, under }: Titles, y: number): void {
  write(pdf, name, LEFT, y, { font: BOLD, size: 8.5, width: JOB_WIDTH });
  write(pdf, under, LEFT, y + 10.5, { size: 6.5, color: MUTED, width: JOB_WIDTH });
  const figure = { size: 7, color: INK };
  writeRight(pdf, job.charges.toLocaleString('en-US'), column.charges, y + 1, figure);
  writeRight(pdf, clockTime(job.meteredMs), column.time, y + 1, figure);
  const price = perHour(job.amountAtto, job.meteredMs);
  writeRight(pdf, price === undefined ? '–' : shortened(price), column.price, y + 1, figure);
  writeAmount(pdf, job.feeAtto, column.fee, y + 1, { ...figure, width: AMOUNT_WIDTH });
  writeAmount(pdf, job.amountAtto, column.amount, y + 1, { ...figure, width: AMOUNT_WIDTH });
  rule(pdf, y + ROW_HEIGHT - 6, FAINT, 0.3);
}

/** An average, or a quantity, needs no more than six places. */
function shortened(amountAtto: bigint): string {
  const { whole, fraction } = partsOf(amountAtto);
  return `${whole}.${fraction.slice(0, 6)}`;
}

function totals(pdf: Pdf, { totalAtto, feeAtto, validatorsAtto, status }: Invoice, top: number): number {
  let y = top + 6;
  if (y + 112 > BOTTOM) {
    pdf.addPage();
    y = 50;
  }
  const from = LEFT + 235;
  const line = (name: string, amountAtto: bigint, size: number, font: string) => {
    write(pdf, name, from, y, { font, size: size + 0.5 });
    writeAmount(pdf, amountAtto, RIGHT, y, { size, font, width: TOTAL_WIDTH });
  };
  line('Work of the operators', totalAtto - feeAtto, 8, PLAIN);
  y += 15;
  line('Fee of the platform', feeAtto, 8, PLAIN);
  y += 16;
  if (validatorsAtto) {
    line('of which validators have', validatorsAtto, 7, PLAIN);
    y += 16;
  }
  pdf
    .moveTo(from, y - 3)
    .lineTo(RIGHT, y - 3)
    .lineWidth(0.8)
    .stroke(INK);
  y += 4;
  line(status === 'draft' ? 'Total so far, ASTRO' : 'Total, ASTRO', totalAtto, 9.5, BOLD);
  y += 16;
  writeRight(
    pdf,
    `${totalAtto} base units; 1 ASTRO is 10^18 of them. Charged to your balance: nothing is due.`,
    RIGHT,
    y,
    {
      ...{ size: 7, color: MUTED },
    },
  );
  return y + 28;
}

function proof(pdf: Pdf, invoice: Invoice, top: number): void {
  const height = 112;
  let y = top;
  if (y + height > BOTTOM) {
    pdf.addPage();
    y = 50;
  }
  pdf.roundedRect(LEFT, y, WIDTH, height, 4).lineWidth(0.6).stroke(FAINT);
  const x = LEFT + 16;
  label(pdf, 'PROOF', x, y + 13);
  const { fromPosition, toPosition, throughPosition } = invoice;
  const positions =
    `Events ${fromPosition} to ${toPosition} of the ledger, looked at up to ${throughPosition}. ` +
    'Merkle root over them (RFC 9162, SHA-256):';
  write(pdf, positions, x, y + 26, { size: 8 });
  write(pdf, invoice.root, x, y + 40, { font: FIXED, size: 9 });
  const how =
    'Every charge is an event. The JSON of this invoice has all of them, byte for byte, each with its proof. ' +
    'This recomputes every line, the total and the root:';
  write(pdf, how, x, y + 59, { size: 8, width: WIDTH - 32, lines: 2 });
  const command = `curl -H "$auth" $url/v1/invoices/${invoice.invoiceId} > invoice.json`;
  write(pdf, command, x, y + 83, { font: FIXED, size: 7.2 });
  write(pdf, 'npm run astro -- invoice verify invoice.json', x, y + 94, { font: FIXED, size: 7.2 });
}

function foot(pdf: Pdf, { number, month }: Invoice): void {
  const { start, count } = pdf.bufferedPageRange();
  for (let page = start; page < start + count; page++) {
    pdf.switchToPage(page);
    rule(pdf, 792, FAINT, 0.3);
    write(pdf, `${number}   ·   ${month}`, LEFT, 800, { size: 7, color: MUTED });
    writeRight(pdf, `Page ${page + 1} of ${count}`, RIGHT, 800, { size: 7, color: MUTED });
  }
}

type Style = {
  readonly font?: string;
  readonly size: number;
  readonly color?: string;
  readonly spacing?: number;
  /** What is longer ends with an ellipsis. */
  readonly width?: number | undefined;
  readonly lines?: number;
};

function write(pdf: Pdf, text: string, x: number, y: number, style: Style): void {
  const { font = PLAIN, size, color = INK, spacing = 0, width, lines = 1 } = style;
  pdf.font(font).fontSize(size).fillColor(color);
  const within = width === undefined ? {} : { width, height: size * 1.3 * lines, ellipsis: true };
  pdf.text(text, x, y, { characterSpacing: spacing, lineBreak: lines > 1 || width !== undefined, ...within });
}

function writeRight(pdf: Pdf, text: string, right: number, y: number, style: Style): void {
  write(pdf, text, right - widthOf(pdf, text, style), y, style);
}

/** All places of the amount, smaller where it is too long; zeros at its end, which say nothing, step back. */
function writeAmount(pdf: Pdf, amountAtto: bigint, right: number, y: number, style: Style): void {
  const { whole, fraction } = partsOf(amountAtto);
  const fitting = { ...fitted(pdf, `${whole}.${fraction}`, style), width: undefined };
  const zeros = /0*$/.exec(fraction)![0];
  const told = fraction.slice(0, fraction.length - zeros.length);
  const width = zeros === '' ? 0 : widthOf(pdf, zeros, fitting);
  if (zeros !== '') write(pdf, zeros, right - width, y, { ...fitting, color: FAINT });
  writeRight(pdf, `${whole}.${told}`, right - width, y, fitting);
}

function fitted(pdf: Pdf, text: string, style: Style): Style {
  const width = widthOf(pdf, text, style);
  return style.width === undefined || width <= style.width
    ? style
    : { ...style, size: (style.size * style.width) / width };
}

const widthOf = (pdf: Pdf, text: string, { font = PLAIN, size, spacing = 0 }: Style): number =>
  pdf.font(font).fontSize(size).widthOfString(text, { characterSpacing: spacing });

const label = (pdf: Pdf, text: string, x: number, y: number) =>
  write(pdf, text, x, y, { font: BOLD, size: 6.5, color: MUTED, spacing: 0.8 });

const rule = (pdf: Pdf, y: number, color: string, width: number) =>
  pdf.moveTo(LEFT, y).lineTo(RIGHT, y).lineWidth(width).stroke(color);

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const dayOf = (date: Date) => `${date.getUTCDate()} ${months[date.getUTCMonth()]} ${date.getUTCFullYear()}`;

/** The fonts that every reader of PDF has know the letters of Western Europe; others are stood for by `?`. */
const printable = (text: string): string => text.normalize('NFC').replaceAll(/[^\x20-\x7e\xa0-\xff]/gu, '?');
