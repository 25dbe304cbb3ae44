import type { BudgetPeriod } from './gen/billing.js';

/** When the period of a budget began in which `at` lies, by the calendar in UTC: 1970 where there is none. */
export function periodStart(period: BudgetPeriod, at: Date): Date {
  switch (period) {
    case 'day':
      return new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate()));
    case 'month':
      return new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth()));
    case 'none':
    case 'unspecified':
      return new Date(0);
  }
}

/** When it ends; undefined where there is none. */
export function periodEnd(period: BudgetPeriod, at: Date): Date | undefined {
  switch (period) {
    case 'day':
      return new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate() + 1));
    case 'month':
      return new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1));
    case 'none':
    case 'unspecified':
      return undefined;
  }
}
