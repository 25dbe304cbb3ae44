import { z } from 'zod';
import { atto, plainName, positiveUint256Atto } from '../http/fields.js';

const apiKeyId = plainName.meta({ example: 'key_01h455vb4pex5vsknk084sn02q' });
const scopeMeta = { description: 'Which jobs count: all of yours, those of a project, those of an API key' };

const scopeRequest = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('tenant') }),
    z.strictObject({ kind: z.literal('project'), project: plainName }),
    z.strictObject({
      kind: z.literal('api_key'),
      apiKeyId: apiKeyId.optional().meta({ description: 'One of yours; absent: the one that you show' }),
    }),
  ])
  .meta(scopeMeta);

const period = z.enum(['day', 'month', 'none']).meta({
  description: 'Of the calendar in UTC, after which the budget begins anew; none: it never does',
});
const atLimit = z.enum(['notice', 'hard_stop']).meta({
  description: 'notice tells you. hard_stop lets no job begin that could cost more than is left',
});
const thresholds = z
  .array(z.int().min(1).max(100))
  .max(10)
  .refine(percents => percents.every((percent, index) => index === 0 || percent > percents[index - 1]!), {
    message: 'must ascend, none twice',
  })
  .meta({ description: 'Percent of the amount: an alert tells once in a period that this much was charged' });

export const budgetRequest = z
  .strictObject({
    scope: scopeRequest.default({ kind: 'tenant' }),
    amountAtto: positiveUint256Atto,
    period,
    atLimit,
    thresholds: thresholds.default([50, 80, 100]),
  })
  .meta({
    id: 'BudgetRequest',
    example: {
      scope: { kind: 'project', project: 'digits' },
      amountAtto: '1000000000000000000',
      period: 'month',
      atLimit: 'hard_stop',
      thresholds: [50, 80, 100],
    },
  });
export type BudgetRequest = z.output<typeof budgetRequest>;

export const budget = z
  .object({
    id: z.string().meta({ example: 'digits-monthly' }),
    scope: z
      .discriminatedUnion('kind', [
        z.object({ kind: z.literal('tenant') }),
        z.object({ kind: z.literal('project'), project: z.string() }),
        z.object({ kind: z.literal('api_key'), apiKeyId: z.string() }),
      ])
      .meta(scopeMeta),
    amountAtto: positiveUint256Atto,
    period,
    atLimit,
    thresholds,
    periodStart: z.iso.datetime().optional().meta({ description: 'Of the period that is now' }),
    periodEnd: z.iso.datetime().optional(),
    spentAtto: atto.meta({ description: 'Charged in this period, since the budget was set' }),
    committedAtto: atto.meta({ description: 'What open jobs hold' }),
    leftAtto: atto.meta({ description: 'What is neither spent nor committed' }),
  })
  .meta({ id: 'Budget' });
export type BudgetResource = z.infer<typeof budget>;

export const budgetList = z.object({ items: z.array(budget) }).meta({ id: 'BudgetList' });
export const budgetPath = {
  id: plainName.meta({ description: 'Your name for the budget', example: 'digits-monthly' }),
};
