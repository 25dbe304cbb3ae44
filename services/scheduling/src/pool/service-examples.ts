import type { Grant, JobSpec, PoolCommand, Server, Service } from '@astro/messages/scheduling';
import { at, fail, poolId, specOf } from './pool-examples.js';

/** Examples of a service, which the specs of the pool share. */
export const periodMs = 10_000;
const service: Service = {
  replicasMin: 2,
  replicasMax: 4,
  runEveryMs: 1_000,
  periodMs,
  targetBusyThousandths: 500,
  toleranceThousandths: 100,
  coolDownMs: 60_000,
  budgetAtto: 1_000_000n,
};
export const serving = (changes: Partial<Service> = {}): JobSpec => ({
  ...specOf(['task_s'], {}, 1),
  service: { ...service, ...changes },
});
export const report = (grant: Grant, ms: number, busyMs = 5_000): PoolCommand => {
  const { leaseId, nodeId, fencingToken } = grant;
  const data = {
    poolId,
    leaseId,
    nodeId,
    fencingToken,
    at: at(ms),
    runs: 1,
    busyMs,
    digest: '',
    outputs: [],
  };
  return { type: 'RenewLease', data };
};
export const scaled = (
  replicasMin: number,
  replicasMax: number,
  ms: number,
  jobId = 'job_s',
): PoolCommand => ({
  type: 'ScaleService',
  data: { poolId, jobId, replicasMin, replicasMax, at: at(ms) },
});
export const failAt = (grant: Grant, ms: number): PoolCommand => {
  const { data } = fail(grant) as Extract<PoolCommand, { type: 'FailLease' }>;
  return { type: 'FailLease', data: { ...data, at: at(ms) } };
};

/** A service whose program is a server. */
export const server: Server = {
  port: 8_080,
  protocol: 'http',
  requestsAtOnce: 4,
  answerWithinMs: 1_000,
  health: {
    path: '/health',
    intervalMs: 1_000,
    timeoutMs: 1_000,
    healthyAfter: 1,
    unhealthyAfter: 2,
    startWithinMs: 10_000,
  },
};
export const servingRequests = (changes: Partial<Service> = {}): JobSpec => {
  const spec = serving({ runEveryMs: 0, server, ...changes });
  return { ...spec, program: { ...spec.program, runtime: 'process' } };
};
export const healthAt = (grant: Grant, ms: number, isHealthy: boolean): PoolCommand => {
  const { leaseId, nodeId, fencingToken } = grant;
  const reason = isHealthy ? '' : 'status 500';
  const data = { poolId, leaseId, nodeId, fencingToken, at: at(ms), isHealthy, reason };
  return { type: 'NoteReplicaHealth', data };
};
