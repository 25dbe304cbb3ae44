import { earningDimensions, type EarningDimension } from '@astro/read-models/billing/earnings-by';
import { z } from 'zod';
import { atto, isWithoutRepeats, signedAtto } from '../http/fields.js';
import { pageOf, pageQuery } from '../http/page.js';

const day = z.iso.date().meta({ example: '2026-11-30', description: 'In UTC' });

const dimensions = z
  .string()
  .max(40)
  .transform((text): readonly string[] => (text === '' ? [] : text.split(',')))
  .refine(
    (names): names is readonly EarningDimension[] =>
      isWithoutRepeats(names) && names.every(name => (earningDimensions as readonly string[]).includes(name)),
    `must be some of ${earningDimensions.join(', ')}, none twice, separated by commas`,
  )
  .meta({
    override: { type: 'string', pattern: '^((day|device|node)(,(day|device|node)){0,2})?$' },
    description: 'What is told apart, and the order of the list; empty: everything together',
    example: 'device,day',
  });

export const earningsQuery = pageQuery.extend({
  from: day.optional().meta({ description: 'First day; 29 before the last without it' }),
  to: day.optional().meta({ description: 'Last day, included; today without it' }),
  groupBy: dimensions.prefault('day'),
});

const amounts = {
  charges: z.int().meta({ description: 'Of leases' }),
  workMs: z.int().meta({ description: 'Metered time' }),
  grossAtto: atto.meta({ description: 'What tenants paid' }),
  feeAtto: atto.meta({ description: 'The part of it that is the fee' }),
  netAtto: atto.meta({ description: 'What is left: the gross without the fee' }),
};

export const earningsPage = pageOf(
  z
    .object({
      day: day.optional(),
      nodeId: z.string().optional().meta({ description: 'Empty where it was not recorded' }),
      device: z
        .string()
        .optional()
        .meta({ example: 'gpu H100', description: 'Kind and model of what the node offers' }),
      ...amounts,
    })
    .meta({ id: 'Earning' }),
)
  .extend({ from: day, to: day })
  .meta({ id: 'EarningPage' });

export const earningsSummary = z
  .object({
    earnedAtto: atto.meta({ description: 'The net of all earnings' }),
    pendingAtto: atto.meta({ description: 'Not yet in a settlement batch' }),
    settlingAtto: atto.meta({ description: 'In a batch on its way to the chain' }),
    claimableAtto: atto.meta({ description: 'Settled, and waits on the chain' }),
    claimedAtto: atto.meta({ description: 'Paid by the chain' }),
    roundedAtto: signedAtto.meta({
      description: 'By which batches, whose fee is rounded once, differ from the charges in them',
    }),
  })
  .meta({ id: 'EarningsSummary', description: 'The four states sum to what was earned and rounded' });

const hash = z.string().meta({ example: `0x${'1f'.repeat(32)}` });

export const slashesQuery = pageQuery;
export const slashesPage = z
  .object({
    asOfBlock: z.int().meta({ description: 'The answer knows the chain up to this block' }),
    final: z.boolean().meta({ description: 'No reorganisation can take back what is answered' }),
    address: z.string().meta({ description: 'Your wallet, which the stake is on' }),
    items: z.array(
      z
        .object({
          block: z.int(),
          final: z.boolean(),
          amountAtto: atto.meta({ description: 'What was taken, of all that was staked' }),
          fractionBps: z.int().meta({ description: 'Hundredths of a percent of the stake' }),
          toReporterAtto: atto,
          burnedAtto: atto,
          toTreasuryAtto: atto,
          reason: z
            .object({ caseId: z.string(), accuser: z.string(), evidence: hash, rebuttal: hash.optional() })
            .optional()
            .meta({ description: 'The case that it was taken for' }),
        })
        .meta({ id: 'Slash' }),
    ),
    nextCursor: z.string().optional(),
  })
  .meta({ id: 'SlashPage' });
