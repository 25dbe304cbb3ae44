import { z } from 'zod';
import { pageOf, pageQuery } from '../http/page.js';
import { atto, positiveUint256Atto } from '../http/fields.js';

export const alertsQuery = pageQuery;
export const alertPage = pageOf(
  z
    .object({
      id: z.string().meta({ description: 'Of the event that tells it' }),
      kind: z.enum(['budget_charged', 'budget_committed', 'balance_low']).meta({
        description:
          'budget_charged: as much as the threshold was charged. budget_committed: with what jobs hold, or asked for ' +
          'in vain, it is more than the amount. balance_low: less than the amount can be spent',
      }),
      toldAt: z.iso.datetime(),
      amountAtto: positiveUint256Atto.meta({ description: 'Of the budget, or of the alert on the balance' }),
      spendableAtto: atto.optional(),
      budgetId: z.string().optional(),
      threshold: z.int().optional().meta({ description: 'Percent of the amount' }),
      spentAtto: atto.optional(),
      committedAtto: atto.optional(),
      periodStart: z.iso.datetime().optional().meta({ description: 'Of the period of the budget' }),
    })
    .meta({ id: 'Alert' }),
).meta({ id: 'AlertPage' });

export const balanceAlertRequest = z
  .strictObject({ amountAtto: positiveUint256Atto })
  .meta({ id: 'BalanceAlertRequest' });
export type BalanceAlertRequest = z.output<typeof balanceAlertRequest>;

export const balanceAlert = z
  .object({ amountAtto: positiveUint256Atto.optional().meta({ description: 'Absent: nothing is told' }) })
  .meta({ id: 'BalanceAlert' });
