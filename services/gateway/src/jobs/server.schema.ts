import type { Server } from '@astro/messages/scheduling';
import type { Job } from '@astro/read-models/scheduling/jobs';
import type { Lease } from '@astro/read-models/scheduling/leases';
import { z } from 'zod';

const probeMs = z.int().min(100).max(60_000);
const probes = z.int().min(1).max(20);

const health = z
  .strictObject({
    path: z
      .string()
      .max(200)
      .regex(/^\/[\w.~!$&'()*+,;=:@%/-]*$/, 'must be a path')
      .meta({ description: 'Healthy is what answers GET with a status from 200 to 299', example: '/health' }),
    intervalMs: probeMs.default(5_000),
    timeoutMs: probeMs.default(2_000),
    healthyAfter: probes.default(1).meta({ description: 'Good probes in a row' }),
    unhealthyAfter: probes.default(3).meta({ description: 'Bad ones in a row' }),
    startWithinMs: z
      .int()
      .min(1_000)
      .max(3_600_000)
      .default(60_000)
      .meta({ description: 'A replica that is not healthy by then is started again' }),
  })
  .meta({ id: 'HealthCheck' });

/** What a service has that is a server. */
export const serverFields = {
  port: z.int().min(1_024).max(65_535).optional().meta({
    description:
      'The program is a server that listens there, and finds it in PORT. Of a process or a container',
    example: 8_080,
  }),
  protocol: z.literal('http').optional(),
  health: health.optional(),
  requestsAtOnce: z
    .int()
    .min(1)
    .max(256)
    .optional()
    .meta({ description: 'A replica is given no more at the same time; 32 when it is left out' }),
  answerWithinMs: z.int().min(100).max(600_000).optional().meta({
    description:
      'From when a request is whole until its answer begins, and the longest pause in it; 60000 when it is left out',
  }),
} as const;
type ServerRequest = z.output<z.ZodObject<typeof serverFields>>;

export const serverResourceFields = {
  replicas: z
    .array(
      z.strictObject({
        leaseId: z.string(),
        nodeId: z.string(),
        health: z.enum(['starting', 'healthy', 'unhealthy']),
        reason: z.string().optional().meta({ description: 'Why it is not healthy' }),
      }),
    )
    .optional()
    .meta({ description: 'Of a server: those that nodes run' }),
  requests: z
    .strictObject({
      count: z.int(),
      unanswered: z.int().meta({ description: 'Of them, those without an answer of the program' }),
      requestBytes: z.int(),
      answerBytes: z.int(),
    })
    .optional()
    .meta({
      description: 'Of a server: requests as gateways have counted them, and the bytes of their bodies',
    }),
} as const;

export const isServerWhole = ({ port, health, ...others }: ServerRequest): boolean =>
  port === undefined ? health === undefined && isEmpty(others) : health !== undefined;

const isEmpty = ({ protocol, requestsAtOnce, answerWithinMs }: Partial<ServerRequest>) =>
  (protocol ?? requestsAtOnce ?? answerWithinMs) === undefined;

/** @returns undefined for a service that is no server */
export function toServer({ port, health, ...said }: ServerRequest): Server | undefined {
  if (port === undefined || health === undefined) return undefined;
  const { protocol = 'http', requestsAtOnce = 32, answerWithinMs = 60_000 } = said;
  return { port, protocol, health, requestsAtOnce, answerWithinMs };
}

export function toServerResource({ protocol: _http, ...said }: Server, job: Job, leases: readonly Lease[]) {
  const replicas = leases.map(({ leaseId, nodeId, isHealthy, unhealthyBecause }) => ({
    ...{ leaseId, nodeId, health: healthOf(isHealthy) },
    ...(unhealthyBecause && { reason: unhealthyBecause }),
  }));
  const { requests: count, requestsUnanswered: unanswered, requestBytes, answerBytes } = job;
  const requests = { count, unanswered, requestBytes, answerBytes };
  return { ...said, protocol: 'http', replicas, requests } as const;
}

type Health = 'starting' | 'healthy' | 'unhealthy';
const healthOf = (isHealthy: Lease['isHealthy']): Health =>
  isHealthy === true ? 'healthy' : isHealthy === false ? 'unhealthy' : 'starting';
