import type { Service } from '@astro/messages/scheduling';
import type { StoredJson } from '@astro/postgres/stored-json';
import type { Job } from '@astro/read-models/scheduling/jobs';
import type { Lease } from '@astro/read-models/scheduling/leases';
import { z } from 'zod';
import { positiveAtto } from '../http/fields.js';
import {
  isServerWhole,
  serverFields,
  serverResourceFields,
  toServer,
  toServerResource,
} from './server.schema.js';

const REPLICAS_MAX = 1_000;
const replicas = z.int().min(1).max(REPLICAS_MAX);
const boundsAreOrdered = (bounds: { readonly replicasMin: number; readonly replicasMax: number }) =>
  bounds.replicasMin <= bounds.replicasMax;
const ORDER_RULE = { path: ['replicasMax'], message: 'must be at least replicasMin' };

const service = z.strictObject({
  replicasMin: replicas.meta({ example: 1 }),
  replicasMax: replicas.meta({ example: 4 }),
  runEveryMs: z.int().min(100).max(86_400_000).optional().meta({
    description: 'A run begins this often in the whole service; the replicas share them. Absent for a server',
  }),
  ...serverFields,
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
    .meta({
      description:
        'Share of its time in which a replica should run the program; of a server, of the requests that it takes ' +
        'at once, how many should be in flight',
    }),
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

export const serviceRequest = service
  .refine(boundsAreOrdered, ORDER_RULE)
  .refine(({ port, runEveryMs }) => (port === undefined) !== (runEveryMs === undefined), {
    path: ['runEveryMs'],
    message: 'must be given, and left out for a server, which has a port',
  })
  .refine(isServerWhole, { path: ['port'], message: 'must be given for a server, and health with it' })
  .meta({
    id: 'ServiceRequest',
    description:
      'Replicas of one task that are kept running until the job is cancelled or its budget is spent: of a program ' +
      'that is run again and again, or of a server with a port',
  });

type ServiceRequest = z.output<typeof serviceRequest>;

export const serviceResource = service
  .extend({
    replicasWanted: z.int().meta({ description: 'What the load asks for, within the bounds and the budget' }),
    replicasRunning: z.int(),
    ...serverResourceFields,
  })
  .meta({ id: 'JobService' });

/** What a valid request asks for. What has a port is no program that is run again and again. */
export function toService(request: ServiceRequest): Service {
  const {
    port,
    protocol,
    health,
    requestsAtOnce,
    answerWithinMs,
    budgetAtto,
    runEveryMs = 0,
    ...rest
  } = request;
  const server = toServer({ port, protocol, health, requestsAtOnce, answerWithinMs });
  return { ...rest, runEveryMs, budgetAtto: BigInt(budgetAtto), ...(server && { server }) };
}

export function toServiceResource(
  service: StoredJson<Service>,
  job: Job,
  leases: readonly Lease[],
): z.output<typeof serviceResource> {
  const { server, runEveryMs, ...said } = service;
  return {
    ...said,
    ...(runEveryMs > 0 && { runEveryMs }),
    budgetAtto: `${service.budgetAtto}`,
    replicasWanted: job.replicasWanted ?? service.replicasMin,
    replicasRunning: leases.length,
    ...(server && toServerResource(server, job, leases)),
  };
}

export const scaleRequest = z
  .strictObject({ replicasMin: replicas, replicasMax: replicas })
  .refine(boundsAreOrdered, ORDER_RULE)
  .meta({ id: 'ScaleRequest', example: { replicasMin: 2, replicasMax: 8 } });
export type ScaleRequest = z.output<typeof scaleRequest>;
