import { z } from 'zod';
import { atto } from '../http/fields.js';

const durationMs = z.int().min(0);

/** What the pool answers to a plan. */
export const planAnswer = z.object({
  startsNow: z.int().meta({ description: 'Replicas that would start at once, behind what waits already' }),
  surgeThousandths: z
    .int()
    .meta({ description: 'The posted price now, in thousandths of each node’s own; of the kind of device' }),
  replicas: z.int().meta({ description: 'Replicas that the job has in all' }),
  placements: z
    .array(z.object({ nodeId: z.string(), operatorId: z.string(), pricePerSecondAtto: atto }))
    .meta({ description: 'Where they would start, the first 20 of them' }),
  startsInMs: z
    .object({ p50: durationMs, p90: durationMs })
    .optional()
    .meta({ description: 'When the first of them is expected to start; absent when no node could host it' }),
  waitingTasks: z.int().meta({ description: 'Tasks of all tenants that wait now' }),
  nodes: z.int(),
  eligibleNodes: z.int().meta({ description: 'Nodes that could host a task if they were idle' }),
  excluded: z
    .record(z.string(), z.int())
    .meta({ description: 'For each rule, the nodes that it excludes whatever their load' }),
});
export const jobPlan = planAnswer
  .extend({ maxCostAtto: atto.meta({ description: 'What submitting the job would reserve' }) })
  .meta({ id: 'JobPlan' });

const candidate = z.object({
  nodeId: z.string(),
  score: z.number(),
  terms: z.record(z.string(), z.number()).meta({ description: 'Parts of the score, which add up to it' }),
  gap: z.number().meta({ description: 'How far below the best' }),
  wouldWinBy: z
    .object({
      change: z.enum(['price', 'reliability', 'performance', 'filter']),
      percent: z.number().optional(),
      to: z.number().optional(),
      filter: z.string().optional(),
    })
    .optional()
    .meta({ description: 'The one change that would make it win' }),
});

/** What the pool answers to the question why a task is where it is, or nowhere. */
export const taskExplanation = z
  .object({
    taskId: z.string(),
    waitingReplicas: z.int(),
    leases: z.array(z.object({ leaseId: z.string(), nodeId: z.string(), pricePerSecondAtto: atto })),
    nodesExcluded: z.array(z.string()).meta({ description: 'Nodes that failed it' }),
    operatorsExcluded: z.array(z.string()).meta({ description: 'Operators that have completed it' }),
    policy: z.string(),
    weightsVersion: z.int(),
    nodes: z.int(),
    passing: z.int().meta({ description: 'Nodes that pass every filter now' }),
    filters: z
      .record(z.string(), z.object({ failing: z.int(), alone: z.int() }))
      .meta({ description: 'For each filter, the nodes that fail it, and those that fail nothing else' }),
    best: z.array(candidate).meta({ description: 'Nodes that pass, best first' }),
    nearest: z.array(candidate).meta({ description: 'Nodes that fail one filter only, best first' }),
  })
  .meta({ id: 'TaskExplanation' });

export const explainQuery = z.strictObject({
  task: z.string().max(90).optional().meta({ description: 'Id of a task; else the first open one' }),
});
