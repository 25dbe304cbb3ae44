import { derivedId } from '@astro/event-sourcing/ids';

/** What invoices are made of: `2026-11`, in UTC. */
export const MONTH = /^\d{4}-(0[1-9]|1[0-2])$/;

export const monthOf = (at: Date): string => at.toISOString().slice(0, 'yyyy-mm'.length);

export const beginOf = (month: string): Date => new Date(`${month}-01T00:00:00.000Z`);

/** When the next month begins. */
export function endOf(month: string): Date {
  const begin = beginOf(month);
  return new Date(Date.UTC(begin.getUTCFullYear(), begin.getUTCMonth() + 1));
}

/** A tenant has one invoice of each month, and drafts of it before. */
export const invoiceIdOf = (tenantId: string, month: string): string => derivedId('invoice', tenantId, month);

/** @param draft which of the month's drafts, from 1 */
export const draftIdOf = (tenantId: string, month: string, draft: number): string =>
  `${invoiceIdOf(tenantId, month)}-${draft}`;

/** Of the id: so many that two tenants never meet. */
const NUMBER_DIGITS = 10;

/** What people call an invoice: follows from whose it is and of which month. A draft's ends with which it is. */
export function invoiceNumberOf(tenantId: string, month: string, draft?: number): string {
  const number = `${month}-${invoiceIdOf(tenantId, month).slice(-NUMBER_DIGITS).toUpperCase()}`;
  return draft === undefined ? number : `${number}-D${draft}`;
}
