import { z } from 'zod';
import { atto } from '../http/fields.js';
import { pageOf, pageQuery } from '../http/page.js';

const ids = z.array(z.string());

export const validator = z
  .object({
    id: z.string().meta({ example: 'node_01h455vb4pex5vsknk084sn02q', description: 'Of its node, too' }),
    operatorId: z.string(),
    subject: z.string().meta({ description: 'What its stake is registered under: Keccak-256 of its id' }),
    stakeAtto: atto.meta({ description: 'By final blocks' }),
    minimumAtto: atto.meta({ description: 'What it must have staked at least' }),
    status: z.enum(['active', 'inactive']).meta({ description: 'Only who is active is drawn' }),
    runtimes: z.array(z.string()),
    audits: z
      .object({
        correct: z.int(),
        wrong: z.int(),
        missed: z.int(),
        plantedAwake: z.int().meta({ description: 'Planted tasks that it was awake at' }),
        plantedAsleep: z.int(),
      })
      .meta({ description: 'What became of those that it was drawn for' }),
    enrolledAt: z.iso.datetime(),
    lastAuditAt: z.iso.datetime().optional(),
  })
  .meta({ id: 'Validator' });
export const validatorsQuery = pageQuery;
export const validatorPage = pageOf(validator).meta({ id: 'ValidatorPage' });
export const validatorPath = { id: z.string().meta({ example: 'node_01h455vb4pex5vsknk084sn02q' }) };

export const audit = z
  .object({
    taskId: z.string(),
    jobId: z.string(),
    reason: z.enum(['sample', 'look_back', 'dispute']),
    status: z.enum(['opened', 'drawn', 'closed']),
    claimedDigest: z.string().meta({ description: 'Of the accepted result' }),
    secretHash: z.string().meta({ description: 'Fixed before the block of the draw was made' }),
    drawFromBlock: z.int().optional(),
    draw: z
      .object({ blockNumber: z.int(), blockHash: z.string(), secret: z.string(), seed: z.string() })
      .optional()
      .meta({ description: 'What the validators were drawn from' }),
    validators: ids.meta({ description: 'In the order in which they were drawn' }),
    verdict: z
      .object({
        outcome: z.enum(['confirmed', 'overturned', 'inconclusive']),
        digest: z.string().meta({ description: 'What most found; empty where there is no such thing' }),
        ...{ correct: ids, wrong: ids, missing: ids },
        policy: z.string().meta({ example: 'audit/1' }),
        flaw: z.string().optional().meta({ description: 'Why it says nothing of the result' }),
      })
      .optional(),
    requestedAt: z.iso.datetime(),
    closedAt: z.iso.datetime().optional(),
  })
  .meta({ id: 'Audit' });
export const taskPath = { id: z.string().meta({ example: 'task_01h455vb4pex5vsknk084sn02q' }) };
