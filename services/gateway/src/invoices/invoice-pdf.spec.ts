import type { JobCharges, StorageCharges } from '@astro/archive/invoice/statement';
import type { Invoice } from '@astro/read-models/billing/invoices';
import { expect, test } from '@jest/globals';
import { clockTime, inAstro, perHour } from './amounts.js';
import { JOBS_LISTED_MAX, printInvoice } from './invoice-pdf.js';
import { wantsPdf } from './media-type.js';

const astro = 10n ** 18n;
const parts = { burnedAtto: 0n, validatorsAtto: 0n };
const jobs: readonly JobCharges[] = [
  { ...{ jobId: 'job_1', charges: 3, meteredMs: 7_200_000 }, ...sums(2n * astro + 1n, astro / 20n) },
  { ...{ jobId: 'job_2', charges: 1_234, meteredMs: 61_001 }, ...sums(123_456_789n, 3n) },
  { ...{ jobId: 'job_3', charges: 1, meteredMs: 0 }, ...sums(0n, 0n) },
];
function sums(amountAtto: bigint, feeAtto: bigint) {
  return { amountAtto, feeAtto, ...parts };
}
const total = (of: readonly JobCharges[], member: 'amountAtto' | 'feeAtto') =>
  of.reduce((sum, job) => sum + job[member], 0n);
const invoiceOf = (of: readonly JobCharges[], changes: Partial<Invoice> = {}): Invoice => ({
  ...{ invoiceId: 'invoice_1', number: '2026-11-ABCDEFGHJK', status: 'issued', tenantId: 'tenant_1' },
  ...{ month: '2026-11', charges: 1_238, meteredMs: 7_261_001, fromPosition: 8, toPosition: 99 },
  ...{ totalAtto: total(of, 'amountAtto'), feeAtto: total(of, 'feeAtto'), throughPosition: 120 },
  ...{ storageAtto: 0n, ...parts },
  ...{ root: '0123456789abcdef'.repeat(4), madeAt: new Date('2026-12-01T01:00:12Z') },
  ...changes,
});
const nameOf = new Map([
  ['job_1', 'digits: training'],
  ['job_2', 'простые числа'],
]);

/** What is written on the pages, each piece as it is placed: an amount is its digits, and zeros apart from them. */
async function textOf(
  invoice: Invoice,
  of: readonly JobCharges[],
  storage?: StorageCharges,
): Promise<readonly string[]> {
  const about = { invoice, tenantName: 'Lumière', jobs: of, storage, nameOf };
  const printed = printInvoice(about, { compress: false });
  const chunks: Buffer[] = [];
  for await (const chunk of printed) chunks.push(chunk as Buffer);
  const file = Buffer.concat(chunks).toString('latin1');
  const shown = [...file.matchAll(/\[((?:<[0-9a-f]*>[ \d.-]*)+)\] TJ/g)];
  return shown.map(([, pieces]) =>
    [...pieces!.matchAll(/<([0-9a-f]*)>/g)]
      .map(([, digits]) => Buffer.from(digits!, 'hex').toString('latin1'))
      .join(''),
  );
}

test('an invoice names its parties, period, number, root and how to check it', async () => {
  const text = await textOf(invoiceOf(jobs), jobs);
  const parties = ['INVOICE', '2026-11-ABCDEFGHJK', 'Lumière', 'tenant_1', 'ISSUED', '1 Dec 2026'];
  expect(text).toEqual(expect.arrayContaining([...parties, '2.00000000012345679 ASTRO']));
  expect(text.join('\n')).toMatch(/^1 Nov 2026 . 30 Nov 2026$/m);
  expect(text).toContain('0123456789abcdef'.repeat(4));
  expect(text.join('\n')).toContain('Events 8 to 99 of the ledger, looked at up to 120.');
  expect(text).toContain('npm run astro -- invoice verify invoice.json');
  expect(text).toContain('curl -H "$auth" $url/v1/invoices/invoice_1 > invoice.json');
  expect(text).toContain('Page 1 of 1');
});

test('it has a line for each job, in letters that its fonts have, and all places of every amount', async () => {
  const text = await textOf(invoiceOf(jobs), jobs);
  expect(text).toEqual(
    expect.arrayContaining(['digits: training', 'job_1', '??????? ?????', 'job_2', 'a job']),
  );
  // Two hours for two ASTRO and a base unit.
  expect(text).toEqual(expect.arrayContaining(['3', '2:00:00.000', '1.000000', '2.000000000000000001']));
  expect(text).toEqual(expect.arrayContaining(['1,234', '0:01:01.001', '0.000000000123456789']));
  expect(text).toContain(
    `${2n * astro + 123_456_790n} base units; 1 ASTRO is 10^18 of them. Charged to your balance: nothing is due.`,
  );
  // The fee of the first job is 0.05, whose sixteen zeros stand apart.
  expect(text[text.indexOf('0.05') - 1]).toBe('0'.repeat(16));
});

test('kept content is one line, and what validators have of the fee is told where they have something', async () => {
  const kept = { charges: 3, meteredMs: 0, gibHoursAtto: (5n * astro) / 2n, ...sums(7n * astro, astro / 5n) };
  const text = await textOf(invoiceOf(jobs, { validatorsAtto: 3n * astro }), jobs, kept);
  expect(text).toEqual(expect.arrayContaining(['Kept content', '2.500000 GiB-hours', '0:00:00.000']));
  expect(text).toContain('of which validators have');
  const without = await textOf(invoiceOf(jobs), jobs);
  expect(without).not.toContain('Kept content');
  expect(without).not.toContain('of which validators have');
});

test('a draft says so, and that its total may grow', async () => {
  const text = await textOf(invoiceOf(jobs, { status: 'draft', number: '2026-11-ABCDEFGHJK-D2' }), jobs);
  expect(text).toEqual(
    expect.arrayContaining(['DRAFT INVOICE', 'DRAFTED', 'TOTAL SO FAR', 'Total so far, ASTRO']),
  );
  expect(text).not.toContain('INVOICE');
});

test('jobs beyond the limit are one line, so that what is printed still sums up', async () => {
  const many = Array.from({ length: JOBS_LISTED_MAX + 7 }, (_, index) => ({
    ...{ jobId: `job_${index}`, charges: 1, meteredMs: 1, ...parts, feeAtto: 0n },
    amountAtto: BigInt(index + 1) * astro + 1n,
  }));
  const text = await textOf(invoiceOf(many), many);
  expect(text).toContain('7 more jobs');
  expect(text).toContain(`Page 1 of ${text.filter(piece => piece.startsWith('Page ')).length}`);
  const amounts = text
    .filter(piece => /^[\d,]+\.\d{18}$/.test(piece))
    .map(piece => BigInt(piece.replaceAll(/\D/g, '')));
  const listed = amounts.slice(0, JOBS_LISTED_MAX + 1);
  expect(listed.reduce((sum, amount) => sum + amount, 0n)).toBe(total(many, 'amountAtto'));
}, 60_000);

test('figures are written for people', () => {
  expect([0n, 1n, astro, 1_234_567n * astro + astro / 4n].map(inAstro)).toEqual([
    ...['0', '0.000000000000000001', '1', '1,234,567.25'],
  ]);
  expect([0, 999, 3_599_999, 360_000_000].map(clockTime)).toEqual([
    ...['0:00:00.000', '0:00:00.999', '0:59:59.999', '100:00:00.000'],
  ]);
  expect([perHour(5n, 0), perHour(10n, 3_600_001)]).toEqual([undefined, 9n]);
});

test.each<[string | undefined, boolean]>([
  [undefined, false],
  ['*/*', false],
  ['application/json', false],
  ['application/pdf', true],
  ['Application/PDF;q=0.5, text/html', true],
  ['application/pdf, application/json', true],
  ['application/pdf;q=0.4, application/json;q=0.5', false],
  ['application/pdf;q=0', false],
])('Accept: %s asks for PDF: %s', (accept, isPdf) => expect(wantsPdf(accept)).toBe(isPdf));
