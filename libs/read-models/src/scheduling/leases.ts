import type { Projection } from '@astro/event-sourcing/projection';
import type { Recorded } from '@astro/event-sourcing/recorded';
import type {
  ExpiredLease,
  Fault,
  LeaseRenewed,
  LeasesGranted,
  PoolEvent,
  Result,
} from '@astro/messages/scheduling';
import { Atto } from '@astro/postgres/atto';
import { defineEntity, type EntityManager, type InferEntity } from '@mikro-orm/postgresql';
import { tableOf } from '@astro/postgres/stage';
import { folding } from '../fold.js';
import { Job } from './jobs.js';

export type LeaseStatus = 'granted' | 'started' | 'completed' | 'failed' | 'expired' | 'revoked';

/** Which node was given which task, when, at what price, and what became of it. */
export const Lease = defineEntity({
  name: 'Lease',
  schema: 'scheduling',
  tableName: 'leases',
  indexes: [{ properties: ['jobId', 'grantedAt', 'leaseId'] }, { properties: ['nodeId', 'status'] }],
  properties: p => ({
    leaseId: p.text().primary(),
    poolId: p.text(),
    jobId: p.text(),
    taskId: p.text(),
    nodeId: p.text(),
    operatorId: p.text(),
    status: p.text().$type<LeaseStatus>(),
    pricePerSecondAtto: p.type(Atto),
    fencingToken: p.bigint('number'),
    deadline: p.datetime(),
    grantedAt: p.datetime(),
    startedAt: p.datetime().nullable(),
    endedAt: p.datetime().nullable(),
    meteredMs: p.bigint('number').nullable(),
    fault: p.text().$type<Fault>().nullable(),
    digest: p.text().nullable(),
    /** Why it failed or was revoked. */
    reason: p.text().nullable(),
    /** Of a server's replica, once its node has said something of it. */
    isHealthy: p.boolean().nullable(),
    unhealthyBecause: p.text().nullable(),
    /** Whether it was told to make room for another. */
    isUnderNotice: p.boolean(),
  }),
});
export type Lease = InferEntity<typeof Lease>;

const LIVE_LEASES_MAX = 1_024;

/** A lease that has ended stays as it ended: a repeated batch finds it so and changes nothing. */
const live: readonly LeaseStatus[] = ['granted', 'started'];

export const leases: Projection<PoolEvent, EntityManager> = {
  name: 'scheduling.leases',
  version: 3,
  tables: ['leases'],
  reads: ['scheduling.pool'],
  ...folding<PoolEvent, Lease>(Lease, {
    keysOf({ type, data }) {
      switch (type) {
        case 'LeasesGranted':
          return idsOf(data.grants);
        case 'LeaseStarted':
        case 'LeaseRenewed':
        case 'ReplicaBecameHealthy':
        case 'ReplicaBecameUnhealthy':
        case 'LeaseCompleted':
        case 'LeaseFailed':
          return [data.leaseId];
        case 'LeasesExpired':
        case 'LeasesPreempted':
        case 'LeasesRevoked':
          return idsOf(data.leases);
        case 'ReplicasMetered':
          return idsOf(data.work);
        case 'NodeAdmitted':
        case 'AttestationsExpired':
        case 'ServiceScaled':
        case 'JobClosed':
        case 'JobAbandoned':
        case 'BookingEnded':
          return idsOf(data.revoked);
      }
      return [];
    },
    evolve(lease, { event, recordedAt }, _leaseId, index) {
      if (event.type === 'LeasesGranted') return lease ?? granted(event.data, index, recordedAt);
      if (lease === undefined || !live.includes(lease.status)) return lease;
      if (event.type === 'LeaseRenewed') return renewed(lease, event.data);
      if (event.type === 'ReplicasMetered') return metered(lease, event.data.work[index]!);
      if (event.type === 'LeasesPreempted')
        return { ...lease, deadline: event.data.noticeUntil, isUnderNotice: true };
      if (event.type === 'ReplicaBecameHealthy') return { ...lease, isHealthy: true, unhealthyBecause: null };
      if (event.type === 'ReplicaBecameUnhealthy')
        return { ...lease, isHealthy: false, unhealthyBecause: event.data.reason };
      if (event.type !== 'LeaseStarted') return { ...lease, ...endBy(event), endedAt: recordedAt };
      if (lease.status === 'started') return lease;
      return { ...lease, status: 'started', startedAt: event.data.startedAt };
    },
    // Names the node only, whose leases may be any.
    sweep: { types: ['NodeWithdrawn'], apply: revokeLeasesOfNode },
  }),
};

const idsOf = (named: readonly Pick<ExpiredLease, 'leaseId'>[]) => named.map(({ leaseId }) => leaseId);

const granted = ({ poolId, grants }: LeasesGranted, index: number, grantedAt: Date): Lease => ({
  ...grants[index]!,
  poolId,
  status: 'granted',
  grantedAt,
  startedAt: null,
  endedAt: null,
  meteredMs: null,
  fault: null,
  digest: null,
  reason: null,
  isHealthy: null,
  unhealthyBecause: null,
  isUnderNotice: false,
});

/** What was metered of a replica until now has no gaps, and only grows; after a notice its deadline stays. */
function renewed(lease: Lease, { deadline, renewedAt }: LeaseRenewed): Lease {
  const meteredMs = renewedAt.getTime() - (lease.startedAt ?? renewedAt).getTime();
  return meteredMs <= (lease.meteredMs ?? 0) ? lease : { ...lease, deadline, meteredMs };
}

/** It ends with the next event. */
const metered = (lease: Lease, { meteredMs }: Result): Lease => ({
  ...lease,
  meteredMs: (lease.meteredMs ?? 0) + meteredMs,
});

/** What became of a lease that the event ends. */
function endBy({ type, data }: PoolEvent): Partial<Lease> {
  switch (type) {
    case 'LeaseCompleted': {
      const { meteredMs, fault, digest } = data.result;
      return { status: 'completed', meteredMs, fault, digest };
    }
    case 'LeaseFailed':
      return { status: 'failed', reason: data.reason };
    case 'LeasesExpired':
      return { status: 'expired' };
    case 'NodeAdmitted':
    case 'AttestationsExpired':
      return { status: 'revoked', reason: 'attestation_ended' };
    case 'BookingEnded':
      return { status: 'revoked', reason: 'booking_ended' };
    case 'ServiceScaled':
      return { status: 'revoked', reason: 'service_scaled' };
    case 'LeasesRevoked':
      return { status: 'revoked', reason: 'preempted' };
    case 'JobClosed':
      return { status: 'revoked', reason: 'job_closed' };
    case 'JobAbandoned':
      return { status: 'revoked', reason: data.reason };
  }
  throw new Error(`${type} ends no lease`);
}

async function revokeLeasesOfNode(em: EntityManager, { event, recordedAt }: Recorded<PoolEvent>) {
  if (event.type !== 'NodeWithdrawn') return;
  const { poolId, nodeId } = event.data;
  // Only what was granted before: a repeated batch must not end what the node was given since it came back.
  await em.nativeUpdate(
    Lease,
    { poolId, nodeId, status: { $in: [...live] }, grantedAt: { $lte: recordedAt } },
    { status: 'revoked', reason: 'node_withdrawn', endedAt: recordedAt },
  );
}

/** In the order in which they were granted. */
export const leasesOf = (em: EntityManager, jobId: string) =>
  em.find(Lease, { jobId }, { orderBy: { grantedAt: 'asc', leaseId: 'asc' } });

/** What a node works on or is about to, in the order in which it was granted; no node has so many. */
export const liveLeasesOf = (em: EntityManager, nodeId: string) =>
  em.find(
    Lease,
    { nodeId, status: { $in: [...live] } },
    { orderBy: { grantedAt: 'asc', leaseId: 'asc' }, limit: LIVE_LEASES_MAX },
  );

/** What the tenant's running replicas cost together in a second; what they have cost so far may not be charged yet. */
export async function runningPriceOf(em: EntityManager, tenantId: string): Promise<bigint> {
  const [row] = await em.execute<{ sum: string }[]>(
    `select coalesce(sum(l."price_per_second_atto"), 0) as "sum" from ${tableOf(em, Job)} as j
       join ${tableOf(em, Lease)} as l on l."job_id" = j."job_id"
      where j."tenant_id" = ? and j."status" = 'running' and l."status" = 'started'`,
    [tenantId],
  );
  return BigInt(row!.sum);
}

/** Those that were granted last, of which a log may still be kept. */
export const leasesOfTask = (em: EntityManager, jobId: string, taskId: string) =>
  em.find(Lease, { jobId, taskId }, { orderBy: { grantedAt: 'desc', leaseId: 'asc' }, limit: 20 });

/** Leases of a service that nodes work on, in the order in which they were granted. */
export const startedLeases = (em: EntityManager, jobId: string) =>
  em.find(Lease, { jobId, status: 'started' }, { orderBy: { grantedAt: 'asc', leaseId: 'asc' } });
