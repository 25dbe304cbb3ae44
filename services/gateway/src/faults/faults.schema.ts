import { z } from 'zod';
import { atto } from '../http/fields.js';
import { pageOf, pageQuery } from '../http/page.js';

const hash = z.string().meta({ example: `0x${'0a'.repeat(32)}` });

export const faultTerms = z
  .object({
    rules: z.string().meta({ description: 'Version of the published rules', example: 'faults/1' }),
    asOfBlock: z.int().meta({ description: 'The answer knows the chain up to this block' }),
    final: z.boolean().meta({ description: 'No reorganisation can take back what is answered' }),
    address: z.string().meta({ description: 'Your wallet, which the stake is on' }),
    bondAtto: atto.meta({ description: 'What an accuser puts down, which you get when it is dismissed' }),
    disputeWindowSeconds: z.int().meta({ description: 'In which you may answer before anything is upheld' }),
    appealWindowSeconds: z.int().meta({ description: 'In which you may appeal before anything is taken' }),
    appealTimeoutSeconds: z.int().meta({ description: 'After which an appeal that nobody decided is yours' }),
    items: z.array(
      z
        .object({
          kind: z.string().meta({ example: 'refuted_result' }),
          role: z.enum(['operator', 'validator']),
          fractionBps: z.int().meta({ description: 'Hundredths of a percent of the stake' }),
          stakedAtto: atto.meta({ description: 'By you and by who has delegated to you' }),
          costAtto: atto.meta({ description: 'What one such fault would take of it now' }),
        })
        .meta({ id: 'FaultCost' }),
    ),
  })
  .meta({ id: 'FaultTerms' });

export const accusationsQuery = pageQuery;
export const accusation = z
  .object({
    faultId: z.string(),
    kind: z.string(),
    rules: z.string(),
    nodeId: z.string(),
    leaseId: z.string(),
    taskId: z.string(),
    status: z.enum([
      'recorded',
      'waived',
      'prepared',
      'open',
      'upheld',
      'appealed',
      'slashed',
      'dismissed',
      'overturned',
      'expired',
    ]),
    reason: z
      .string()
      .optional()
      .meta({ description: 'Why nobody is accused, or why it was decided as it was' }),
    recordedAt: z.iso.datetime(),
    case: z
      .object({
        id: z.string().meta({ description: 'Number of the case in the contract' }),
        address: z.string(),
        evidence: hash.meta({ description: 'Keccak-256 of the bundle in canonical JSON' }),
        fractionBps: z.int(),
        endsAt: z.iso.datetime().optional().meta({ description: 'When the state that it is in ends' }),
        slashedAtto: atto,
      })
      .optional()
      .meta({ description: 'Once the chain has it' }),
  })
  .meta({ id: 'Accusation' });
export const accusationPage = pageOf(accusation).meta({ id: 'AccusationPage' });
