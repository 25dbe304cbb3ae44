import { describe, expect, test } from '@jest/globals';
import { specify } from '@astro/event-sourcing/specify';
import type { InvoiceCommand, InvoiceEvent, InvoiceStatement } from '@astro/messages/billing';
import { draftIdOf, endOf, invoiceIdOf, invoiceNumberOf, monthOf } from '@astro/messages/invoice-month';
import { DRAFTS_MAX, invoice } from './invoice.js';

const given = specify(invoice);
const tenantId = 'tenant_1';
const month = '2026-11';
const number = invoiceNumberOf(tenantId, month);
const statement: InvoiceStatement = {
  ...{ tenantId, month, charges: 3, meteredMs: 5_000, totalAtto: 200n, feeAtto: 5n },
  ...{ fromPosition: 7, toPosition: 20, throughPosition: 31, root: 'ab'.repeat(32) },
};
const within = new Date('2026-11-30T23:59:59.999Z');
const after = new Date('2026-12-01T00:00:00.000Z');

const request = (requestedAt = within, of = month): InvoiceCommand => ({
  type: 'RequestInvoice',
  data: { tenantId, month: of, requestedAt },
});
const requested = (draft: number): InvoiceEvent => ({
  type: 'InvoiceRequested',
  data: { tenantId, month, draft, requestedAt: within },
});
const draft = (which: number, changes: Partial<InvoiceStatement> = {}): InvoiceCommand => ({
  type: 'DraftInvoice',
  data: { draft: which, statement: { ...statement, ...changes } },
});
const drafted = (which: number): InvoiceEvent => ({
  type: 'InvoiceDrafted',
  data: { draft: which, number: `${number}-D${which}`, statement },
});
const issue = (changes: Partial<InvoiceStatement> = {}, issuedAt = after): InvoiceCommand => ({
  type: 'IssueInvoice',
  data: { statement: { ...statement, ...changes }, issuedAt },
});
const issued: InvoiceEvent = { type: 'InvoiceIssued', data: { number, statement, issuedAt: after } };

describe('a month that is over', () => {
  test('is closed by its invoice', () => given().when(issue()).then(issued));
  test('is closed once, whatever was looked at since', () =>
    given(issued)
      .when(issue({ throughPosition: 99 }))
      .thenNothing());
  test('has no second invoice', () =>
    given(issued)
      .when(issue({ root: 'cd'.repeat(32) }))
      .thenRejected('InvoiceDiffers'));
  test('is closed in spite of drafts', () =>
    given(requested(1), drafted(1), requested(2)).when(issue()).then(issued));
});

describe('a month that goes on', () => {
  test('has no invoice before its last millisecond', () =>
    given().when(issue({}, within)).thenRejected('MonthGoesOn'));
  test('has a draft when somebody asks for it', () => given().when(request()).then(requested(1)));
  test('has one draft at a time', () => given(requested(1)).when(request()).thenNothing());
  test('has another draft when there is one', () =>
    given(requested(1), drafted(1)).when(request()).then(requested(2)));
  test('cannot be asked for before it begins', () =>
    given()
      .when(request(new Date('2026-10-31T23:59:59.999Z')))
      .thenRejected('MonthHasNotBegun'));
  test('has a limited number of drafts', () =>
    given(requested(DRAFTS_MAX), drafted(DRAFTS_MAX)).when(request()).thenRejected('TooManyDrafts'));
});

describe('a draft', () => {
  test('is made when it was asked for', () => given(requested(1)).when(draft(1)).then(drafted(1)));
  test('is made once', () => given(requested(1), drafted(1)).when(draft(1)).thenNothing());
  test('is not made unasked', () =>
    given(requested(1), drafted(1)).when(draft(2)).thenRejected('DraftIsNotRequested'));
  test('is not made after the invoice', () => given(requested(1), issued).when(draft(1)).thenNothing());
  test('is not asked for after the invoice', () => given(issued).when(request(after)).thenNothing());
});

test('a month of another form is refused', () => {
  for (const form of ['2026-13', '2026-00', '2026-1', '26-11', '2026-11-01', ''])
    given().when(request(within, form)).thenRejected('MonthIsInvalid');
});

test.each<[string, Partial<InvoiceStatement>, string, string]>([
  ['without charges', { charges: 0 }, 'InvoiceIsEmpty', 'month: nothing was charged in 2026-11'],
  ['of less than nothing', { totalAtto: -1n }, 'StatementIsInvalid', 'statement.totalAtto: -1 is negative'],
  [
    'with a fee beyond it',
    { feeAtto: 201n },
    'StatementIsInvalid',
    'statement.feeAtto: 201 is no part of 200',
  ],
  [
    'with kept content beyond it',
    { storageAtto: 201n },
    'StatementIsInvalid',
    'statement.storageAtto: 201 is no part of 200',
  ],
  [
    'with more than the fee for others',
    { burnedAtto: 2n, validatorsAtto: 4n },
    'StatementIsInvalid',
    'statement.validatorsAtto: 4 and 2 burned are no parts of 5',
  ],
  ['with a negative fee', { feeAtto: -1n }, 'StatementIsInvalid', 'statement.feeAtto: -1 is no part of 200'],
  ['that ends first', { toPosition: 6 }, 'StatementIsInvalid', 'statement.toPosition: 6 lies before 7'],
  [
    'of more charges than positions',
    { charges: 15 },
    'StatementIsInvalid',
    'statement.charges: 15 do not fit between 7 and 20',
  ],
  [
    'that looked too short',
    { throughPosition: 19 },
    'StatementIsInvalid',
    'statement.throughPosition: 19 lies before 20',
  ],
  ['without a root', { root: 'AB' }, 'StatementIsInvalid', 'statement.root: must be 64 hexadecimal digits'],
])('a statement %s is refused, for invoice and draft', (_what, changes, rejection, detail) => {
  const asked = invoice.evolve(invoice.initialState, requested(1));
  for (const command of [issue(changes), draft(1, changes)])
    expect(invoice.decide(command, asked)).toEqual({ accepted: false, rejection, detail });
});

test('months are those of UTC, and each has one id and number for each tenant', () => {
  expect(monthOf(within)).toBe('2026-11');
  expect(monthOf(after)).toBe('2026-12');
  expect(endOf('2026-12')).toEqual(new Date('2027-01-01T00:00:00Z'));
  const ids = ['tenant_1', 'tenant_2'].flatMap(id => ['2026-11', '2026-12'].map(of => invoiceIdOf(id, of)));
  expect(new Set(ids).size).toBe(4);
  expect(draftIdOf(tenantId, month, 2)).toBe(`${invoiceIdOf(tenantId, month)}-2`);
  expect(number).toMatch(/^2026-11-[0-9A-Z]{10}$/);
});
