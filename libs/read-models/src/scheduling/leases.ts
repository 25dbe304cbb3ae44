import type { Projection } from '@astro/event-sourcing/projection';
import type { ExpiredLease, Fault, Grant, PoolEvent } from '@astro/messages/scheduling';
import { Atto } from '@astro/postgres/atto';
import { defineEntity, type EntityData, type EntityManager, type InferEntity } from '@mikro-orm/postgresql';

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
  }),
});
export type Lease = InferEntity<typeof Lease>;

/** A lease that has ended stays as it ended: a repeated batch finds it so and changes nothing. */
const live: readonly LeaseStatus[] = ['granted', 'started'];

export const leases: Projection<PoolEvent, EntityManager> = {
  name: 'scheduling.leases',
  reads: ['scheduling.pool'],
  async apply(em, { event: { type, data }, recordedAt: endedAt }) {
    const end = (ended: readonly Pick<ExpiredLease, 'leaseId'>[], changes: EntityData<Lease>) =>
      em.nativeUpdate(
        Lease,
        { leaseId: { $in: ended.map(({ leaseId }) => leaseId) }, status: { $in: [...live] } },
        { ...changes, endedAt },
      );
    switch (type) {
      case 'LeasesGranted':
        return em.upsertMany(
          Lease,
          data.grants.map(grant => granted(data.poolId, grant, endedAt)),
          { onConflictAction: 'ignore' },
        );
      case 'LeaseStarted': {
        const { leaseId, startedAt } = data;
        return em.nativeUpdate(Lease, { leaseId, status: 'granted' }, { status: 'started', startedAt });
      }
      case 'LeaseCompleted': {
        const { meteredMs, fault, digest } = data.result;
        return end([data], { status: 'completed', meteredMs, fault, digest });
      }
      case 'LeaseFailed':
        return end([data], { status: 'failed', reason: data.reason });
      case 'LeasesExpired':
        return end(data.leases, { status: 'expired' });
      case 'JobClosed':
        return end(data.revoked, { status: 'revoked', reason: 'job_closed' });
      case 'JobAbandoned':
        return end(data.revoked, { status: 'revoked', reason: data.reason });
      case 'NodeWithdrawn':
        // Only what was granted before: a repeated batch must not end what the node was given since it came back.
        return em.nativeUpdate(
          Lease,
          {
            poolId: data.poolId,
            nodeId: data.nodeId,
            status: { $in: [...live] },
            grantedAt: { $lte: endedAt },
          },
          { status: 'revoked', reason: 'node_withdrawn', endedAt },
        );
    }
  },
};

const granted = (poolId: string, grant: Grant, grantedAt: Date) => ({
  ...grant,
  poolId,
  status: 'granted' as const,
  grantedAt,
});

/** In the order in which they were granted. */
export const leasesOf = (em: EntityManager, jobId: string) =>
  em.find(Lease, { jobId }, { orderBy: { grantedAt: 'asc', leaseId: 'asc' } });
