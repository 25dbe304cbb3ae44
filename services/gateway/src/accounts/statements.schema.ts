import { z } from 'zod';
import { atto, signedAtto } from '../http/fields.js';
import { pageOf, pageQuery } from '../http/page.js';

const position = z
  .int()
  .meta({ description: 'Of the event that an entry is from, in the order of the ledger' });

export const balanceQuery = z.strictObject({
  asOf: z.coerce
    .number()
    .int()
    .min(0)
    .max(Number.MAX_SAFE_INTEGER)
    .optional()
    .meta({ description: 'A position of the ledger: what was held after it. Without it, now', example: 42 }),
});

export const balance = z
  .object({
    asOf: position.optional(),
    availableAtto: atto.meta({ description: 'What can be spent' }),
    reservedAtto: atto.meta({ description: 'What open jobs hold' }),
    incomingAtto: atto.meta({ description: 'Received and about to be available' }),
    withdrawingAtto: atto.meta({ description: 'On its way to the chain' }),
    owedAtto: atto.meta({
      description:
        'Taken out of the chain beyond what could be spent; it comes before whatever is spent next',
    }),
  })
  .meta({ id: 'Balance' });

export const statementQuery = pageQuery.extend({
  account: z
    .enum(['available', 'reserved', 'incoming', 'withdrawing', 'owed'])
    .default('available')
    .meta({ description: 'Which part of your balance; what is owed is below zero' }),
});

export const statement = pageOf(
  z
    .object({
      position,
      eventId: z.string(),
      kind: z.string().meta({ example: 'FundsTransferred' }),
      jobId: z.string().optional(),
      taskId: z.string().optional(),
      amountAtto: signedAtto.meta({ description: 'What the entry adds' }),
      balanceAtto: signedAtto.meta({ description: 'What the account held after it' }),
      recordedAt: z.iso.datetime(),
    })
    .meta({ id: 'StatementEntry' }),
).meta({ id: 'StatementPage' });
