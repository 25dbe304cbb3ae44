import { z } from 'zod';
import { pageOf, pageQuery } from '../http/page.js';
import { affiliationKind, atto } from '../http/fields.js';

const tenantAccount = z
  .object({
    owner: z.literal('tenant'),
    id: z.string().meta({ example: 'tenant_01h455vb4pex5vsknk084sn02q' }),
    name: z.string().optional(),
    availableAtto: atto.meta({ description: 'What can be spent' }),
    reservedAtto: atto.meta({ description: 'What open jobs hold' }),
    incomingAtto: atto.meta({ description: 'Received and about to be available' }),
    withdrawingAtto: atto.meta({ description: 'On its way to the chain' }),
    owedAtto: atto.meta({
      description:
        'Taken out of the chain beyond what could be spent; it comes before whatever is spent next',
    }),
  })
  .meta({ id: 'TenantAccount' });

const operatorAccount = z
  .object({
    owner: z.literal('operator'),
    id: z.string().meta({ example: 'operator_01h455vb4pex5vsknk084sn02q' }),
    name: z.string().optional(),
    earnedAtto: atto.meta({ description: 'Earned and not yet paid out' }),
    affiliations: z
      .array(
        z.object({
          kind: affiliationKind,
          seenAt: z.iso.datetime(),
          others: z.int().meta({ description: 'Operators that have the same' }),
        }),
      )
      .meta({
        description:
          'What the operator has in common with others, as far as the platform knows: replicas of a task go to ' +
          'operators that have nothing in common where there are any',
      }),
  })
  .meta({ id: 'OperatorAccount' });

export const account = z.discriminatedUnion('owner', [tenantAccount, operatorAccount]);

export const usageQuery = pageQuery;
const usedStorage = z
  .object({
    contents: z.int().meta({ description: 'Kept now' }),
    bytes: z.string().meta({ example: '1048576' }),
    gibHoursAtto: z.string().meta({ description: 'Kept until now and metered, in 10^-18 GiB-hours' }),
    meteredThrough: z.iso.datetime().optional(),
    chargedAtto: atto.meta({ description: 'All that the tenant paid for it' }),
    dueAtto: atto.meta({
      description: 'What could not be paid: it is charged at the end of the next period',
    }),
  })
  .meta({ id: 'StorageUsage' });

export const usagePage = pageOf(
  z
    .object({
      jobId: z.string(),
      chargedAtto: atto.meta({ description: 'All that the tenant paid for the job' }),
      feeAtto: atto.meta({ description: 'Of which this is the fee; operators earned the rest' }),
      burnedAtto: atto.meta({ description: 'Of which this was burned' }),
      meteredMs: z.int(),
      transferredBytes: z
        .string()
        .meta({ description: 'Moved by nodes, in both directions', example: '1048576' }),
      transferAtto: atto.meta({ description: 'What of chargedAtto was for that; the rest was for time' }),
      tasksCharged: z.int(),
      firstChargedAt: z.iso.datetime(),
    })
    .meta({ id: 'JobUsage' }),
)
  .extend({ storage: usedStorage })
  .meta({ id: 'UsagePage' });
