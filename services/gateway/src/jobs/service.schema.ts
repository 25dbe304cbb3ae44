import { z } from 'zod';
import { positiveAtto } from '../http/fields.js';

const REPLICAS_MAX = 1_000;
const replicas = z.int().min(1).max(REPLICAS_MAX);
const boundsAreOrdered = (bounds: { readonly replicasMin: number; readonly replicasMax: number }) =>
  bounds.replicasMin <= bounds.replicasMax;
const ORDER_RULE = { path: ['replicasMax'], message: 'must be at least replicasMin' };

const service = z.strictObject({
  replicasMin: replicas.meta({ example: 1 }),
  replicasMax: replicas.meta({ example: 4 }),
  runEveryMs: z
    .int()
    .min(100)
    .max(86_400_000)
    .meta({ description: 'A run begins this often in the whole service; the replicas share them' }),
  periodMs: z
    .int()
    .min(1_000)
    .max(3_600_000)
    .default(30_000)
    .meta({ description: 'Each replica is charged, and its lease renewed, for each of these' }),
  targetBusyThousandths: z
    .int()
    .min(1)
    .max(1_000)
    .default(700)
    .meta({ description: 'Share of its time in which a replica should run the program' }),
  toleranceThousandths: z
    .int()
    .min(0)
    .max(999)
    .default(100)
    .meta({ description: 'Within this share of the target the number of replicas stays' }),
  coolDownMs: z
    .int()
    .min(0)
    .max(86_400_000)
    .default(300_000)
    .meta({ description: 'Fewer replicas are wanted only after fewer sufficed for so long' }),
  budgetAtto: positiveAtto.meta({ description: 'Reserved; the service ends before it could cost more' }),
});

export const serviceRequest = service.refine(boundsAreOrdered, ORDER_RULE).meta({
  id: 'ServiceRequest',
  description: 'Replicas of one task that are kept running until the job is cancelled or its budget is spent',
});

export const serviceResource = service
  .extend({
    replicasWanted: z.int().meta({ description: 'What the load asks for, within the bounds and the budget' }),
    replicasRunning: z.int(),
  })
  .meta({ id: 'JobService' });

export const scaleRequest = z
  .strictObject({ replicasMin: replicas, replicasMax: replicas })
  .refine(boundsAreOrdered, ORDER_RULE)
  .meta({ id: 'ScaleRequest', example: { replicasMin: 2, replicasMax: 8 } });
export type ScaleRequest = z.output<typeof scaleRequest>;
