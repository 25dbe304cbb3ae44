import { z } from 'zod';
import { affiliationKind, atto, positiveAtto } from '../http/fields.js';

const durationMs = z.int().min(0);

/** What the pool answers to a plan. */
export const planAnswer = z.object({
  startsNow: z.int().meta({ description: 'Replicas that would start at once, behind what waits already' }),
  surgeThousandths: z
    .int()
    .meta({ description: 'The posted price now, in thousandths of each node’s own; of the kind of device' }),
  replicas: z.int().meta({ description: 'Replicas that the job has in all' }),
  expectedCostAtto: atto.meta({
    description: 'What those that can run at once are expected to cost, at the price of now',
  }),
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
  .extend({
    maxCostAtto: atto.meta({ description: 'The most that the job can cost' }),
    reservedAtto: atto.meta({ description: 'What submitting the job would reserve' }),
  })
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

const spreadExplanation = z.object({
  apartBy: z
    .array(affiliationKind)
    .meta({ description: 'What keeps replicas apart now; the longer one waits, the less' }),
  relaxesAt: z.iso.datetime().optional().meta({ description: 'When less does' }),
  related: z
    .array(z.object({ operatorId: z.string(), to: z.string(), by: affiliationKind }))
    .meta({ description: 'Operators that are kept from it, the first 50 of them' }),
  because: z.string().optional().meta({ description: 'Why it waits although nodes are free' }),
});

/** What the pool answers to the question why a task is where it is, or nowhere. */
export const taskExplanation = z
  .object({
    taskId: z.string(),
    waitingReplicas: z.int(),
    leases: z.array(z.object({ leaseId: z.string(), nodeId: z.string(), pricePerSecondAtto: atto })),
    nodesExcluded: z.array(z.string()).meta({ description: 'Nodes that failed it' }),
    operatorsExcluded: z.array(z.string()).meta({ description: 'Operators that have completed it' }),
    spread: spreadExplanation.optional().meta({
      description: 'Present where replicas are kept apart from operators that are related to those above',
    }),
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

const tickOutcome = z.object({
  grants: z
    .array(
      z.object({ taskId: z.string(), nodeId: z.string(), operatorId: z.string(), pricePerSecondAtto: atto }),
    )
    .meta({ description: "What the job's tasks got, the first 50 of them" }),
  grantsOfJob: z.int(),
  grantsOfOthers: z.int().meta({ description: 'How many the tick gave to other jobs' }),
});

/** What is answered to the question what a recorded tick would have done with one thing changed. */
export const tickExplanation = z
  .object({
    position: z.int().meta({ description: 'Of the tick in the event stream' }),
    decidedAt: z.iso.datetime(),
    policy: z.string(),
    weightsVersion: z.int(),
    recorded: tickOutcome.meta({ description: 'What the tick did' }),
    isRepeated: z.boolean().meta({ description: 'Whether the rules of today decide it as it was recorded' }),
    changed: tickOutcome.meta({ description: 'What it would have done' }),
  })
  .meta({ id: 'TickExplanation' });

const nodeId = z.string().max(90);
export const tickQuery = z
  .strictObject({
    position: z.coerce
      .number()
      .int()
      .min(1)
      .max(Number.MAX_SAFE_INTEGER)
      .optional()
      .meta({ description: 'Of a tick; else the last one that granted something to the job' }),
    withoutNode: nodeId.optional().meta({ description: 'The node takes nothing' }),
    nodeId: nodeId.optional().meta({ description: 'The node that `nodePrice` is about' }),
    nodePrice: atto.optional().meta({ description: 'Its price for each second' }),
    maxPricePerSecondAtto: positiveAtto.optional().meta({ description: 'The cap of the job' }),
    term: z.string().max(40).optional().meta({ description: 'The term that `weight` is about' }),
    weight: z.coerce.number().min(0).max(1_000_000).optional().meta({ description: 'How much it counts' }),
  })
  .refine(({ nodeId, nodePrice }) => (nodeId === undefined) === (nodePrice === undefined), {
    path: ['nodePrice'],
    error: 'must come with nodeId, and nodeId with it',
  })
  .refine(({ term, weight }) => (term === undefined) === (weight === undefined), {
    path: ['weight'],
    error: 'must come with term, and term with it',
  })
  .refine(
    ({ withoutNode, nodePrice, maxPricePerSecondAtto, weight }) =>
      [withoutNode, nodePrice, maxPricePerSecondAtto, weight].filter(part => part !== undefined).length === 1,
    {
      path: ['withoutNode'],
      error: 'exactly one of withoutNode, nodePrice, maxPricePerSecondAtto and weight must be given',
    },
  );

export const explainQuery = z.strictObject({
  task: z.string().max(90).optional().meta({ description: 'Id of a task; else the first open one' }),
});
