import { accept, reject, type Decider, type Decision, type Rejected } from '@astro/event-sourcing/decider';
import { structured } from '@astro/event-sourcing/snapshot-format';
import type {
  DraftInvoice,
  InvoiceCommand,
  InvoiceEvent,
  InvoiceStatement,
  IssueInvoice,
  RequestInvoice,
} from '@astro/messages/billing';
import { beginOf, endOf, invoiceNumberOf, MONTH } from '@astro/messages/invoice-month';

export type InvoiceRejection =
  | 'MonthIsInvalid'
  | 'MonthHasNotBegun'
  | 'MonthGoesOn'
  | 'InvoiceIsEmpty'
  | 'StatementIsInvalid'
  | 'TooManyDrafts'
  | 'DraftIsNotRequested'
  | 'InvoiceDiffers';

/** Of one month. */
export const DRAFTS_MAX = 100;

/** A month of a tenant: what was asked for and made of it. */
export type Invoice = {
  readonly draftsRequested: number;
  readonly draftsMade: number;
  /** Root of the one that was issued. */
  readonly issued: string | undefined;
};

type InvoiceDecision = Decision<InvoiceEvent, InvoiceRejection>;

/**
 * What a tenant owed for a month goes on record once the month is over, and as a draft whenever the tenant asks for it
 * before. Its id follows from the tenant and the month, so that there is one.
 */
export const invoice: Decider<Invoice, InvoiceCommand, InvoiceEvent, InvoiceRejection> = {
  initialState: { draftsRequested: 0, draftsMade: 0, issued: undefined },

  decide({ type, data }, state) {
    switch (type) {
      case 'RequestInvoice':
        return request(data, state);
      case 'DraftInvoice':
        return draft(data, state);
      case 'IssueInvoice':
        return issue(data, state);
    }
  },

  evolve(state, { type, data }) {
    switch (type) {
      case 'InvoiceRequested':
        return { ...state, draftsRequested: data.draft };
      case 'InvoiceDrafted':
        return { ...state, draftsMade: data.draft };
      case 'InvoiceIssued':
        return { ...state, issued: data.statement.root };
    }
  },

  snapshot: structured(1),
};

/** Nothing follows where the invoice is issued, or a draft is on its way: whoever asks gets that one. */
function request({ tenantId, month, requestedAt }: RequestInvoice, state: Invoice): InvoiceDecision {
  if (!MONTH.test(month)) return monthIsInvalid(month);
  if (requestedAt < beginOf(month)) return reject('MonthHasNotBegun', `month: ${month} has not begun`);
  if (state.issued !== undefined || state.draftsRequested > state.draftsMade) return accept();
  if (state.draftsMade >= DRAFTS_MAX) return reject('TooManyDrafts', `month: has ${DRAFTS_MAX} drafts`);
  const draft = state.draftsRequested + 1;
  return accept({ type: 'InvoiceRequested', data: { tenantId, month, draft, requestedAt } });
}

function draft({ draft, statement }: DraftInvoice, state: Invoice): InvoiceDecision {
  const problem = statementProblem(statement);
  if (problem) return problem;
  if (state.issued !== undefined || draft <= state.draftsMade) return accept();
  if (draft > state.draftsRequested) return reject('DraftIsNotRequested', `draft: nobody asked for ${draft}`);
  const number = invoiceNumberOf(statement.tenantId, statement.month, draft);
  return accept({ type: 'InvoiceDrafted', data: { draft, number, statement } });
}

/** Made again it comes out the same; what comes out differently would be another invoice for the same month. */
function issue({ statement, issuedAt }: IssueInvoice, { issued }: Invoice): InvoiceDecision {
  const problem = statementProblem(statement);
  if (problem) return problem;
  const { tenantId, month, root } = statement;
  if (issued !== undefined)
    return issued === root ? accept() : reject('InvoiceDiffers', `root: was ${issued}, is ${root}`);
  if (issuedAt < endOf(month)) return reject('MonthGoesOn', `month: ${month} is not over`);
  const number = invoiceNumberOf(tenantId, month);
  return accept({ type: 'InvoiceIssued', data: { number, statement, issuedAt } });
}

const monthIsInvalid = (month: string) =>
  reject('MonthIsInvalid', `month: ${month} is no year and month as 2026-11`);

function statementProblem(statement: InvoiceStatement): Rejected<InvoiceRejection> | undefined {
  const { month, charges, totalAtto, feeAtto, fromPosition, toPosition, throughPosition, root } = statement;
  if (!MONTH.test(month)) return monthIsInvalid(month);
  if (charges === 0) return reject('InvoiceIsEmpty', `month: nothing was charged in ${month}`);
  const invalid = (field: string, rule: string) =>
    reject('StatementIsInvalid' as const, `statement.${field}: ${rule}`);
  if (totalAtto < 0n) return invalid('totalAtto', `${totalAtto} is negative`);
  if (feeAtto < 0n || feeAtto > totalAtto) return invalid('feeAtto', `${feeAtto} is no part of ${totalAtto}`);
  const { storageAtto = 0n, burnedAtto = 0n, validatorsAtto = 0n } = statement;
  if (storageAtto < 0n || storageAtto > totalAtto)
    return invalid('storageAtto', `${storageAtto} is no part of ${totalAtto}`);
  if (burnedAtto < 0n || validatorsAtto < 0n || burnedAtto + validatorsAtto > feeAtto)
    return invalid('validatorsAtto', `${validatorsAtto} and ${burnedAtto} burned are no parts of ${feeAtto}`);
  if (fromPosition < 1 || toPosition < fromPosition)
    return invalid('toPosition', `${toPosition} lies before ${fromPosition}`);
  if (toPosition - fromPosition + 1 < charges)
    return invalid('charges', `${charges} do not fit between ${fromPosition} and ${toPosition}`);
  if (throughPosition < toPosition)
    return invalid('throughPosition', `${throughPosition} lies before ${toPosition}`);
  if (!/^[0-9a-f]{64}$/.test(root)) return invalid('root', 'must be 64 hexadecimal digits');
  return undefined;
}
