import type { JobAbandoned, PoolEvent, ServiceScaled } from '@astro/messages/scheduling';
import { chargeLastUse, type Charged, type LastUse } from './last-use.js';
import type { PoolJob } from './pool-job.js';
import { ended, leasesOfJob, type Lease, type Pool } from './pool-state.js';
import { noticeOfBudget, replicasWithNotice } from './service-notice.js';
import { affordableReplicas, replicatedTask, type RunningService } from './service.js';

/** What the pool does not know yet of a service, because the decision that is made records it. */
export type Afterwards = {
  readonly poolId: string;
  readonly at: Date;
  readonly charged: Charged;
  /** Leases that have ended. */
  readonly gone: ReadonlySet<string>;
  /** The lease whose use has been charged up to now. */
  readonly heard?: string;
};

/** Present for a job that is a service. */
export function runningService(pool: Pool, jobId: string): RunningService | undefined {
  const job = pool.jobs.get(jobId);
  if (!job?.service || !job.spec.service) return undefined;
  return { job, service: job.service, spec: job.spec.service };
}

/** The service has another number of replicas, or ends because its budget does. */
export function scaleOrEnd(
  pool: Pool,
  running: RunningService,
  replicas: number,
  afterwards: Afterwards,
): readonly PoolEvent[] {
  const { job, service } = running;
  const wanted = replicasWithNotice(running, replicas, afterwards.charged);
  const scale = affordableScale(pool, running, wanted, afterwards);
  if (scale.replicas < service.replicasMin) return outOfFunds(pool, job, scale.replicas, afterwards);
  const notice = noticeOfBudget(running, scale.replicas, afterwards, scale.lastUse.charged);
  if (scale.replicas === replicatedTask(job).replicasWanted) return notice;
  return [...scaled(running, service, scale, afterwards), ...notice];
}

type Bounds = Pick<ServiceScaled, 'replicasMin' | 'replicasMax'>;

export function scaled(
  { job: { jobId } }: RunningService,
  { replicasMin, replicasMax }: Bounds,
  { replicas, revoked, lastUse }: Scale,
  { poolId, at: scaledAt }: Afterwards,
): readonly PoolEvent[] {
  const data = { poolId, jobId, replicas, replicasMin, replicasMax, scaledAt, revoked: revoked.map(ended) };
  return [...lastUse.events, { type: 'ServiceScaled', data }];
}

type Scale = { readonly replicas: number; readonly revoked: readonly Lease[]; readonly lastUse: LastUse };

/**
 * As many of these replicas as the rest of the budget pays for, when those that are too many have been charged to
 * their end. Those go first that lose the least: under notice, not started, dear, new.
 */
export function affordableScale(
  pool: Pool,
  { job, spec }: RunningService,
  wanted: number,
  { poolId, at, charged, gone, heard }: Afterwards,
): Scale {
  const leases = leasesOfJob(pool, job)
    .filter(({ leaseId }) => !gone.has(leaseId))
    .sort(losesLess);
  let replicas = Math.min(wanted, affordableReplicas(job.spec, spec, charged.spentAtto));
  for (;;) {
    const revoked = leases.slice(0, Math.max(0, leases.length - replicas));
    const unheard = revoked.filter(({ leaseId }) => leaseId !== heard);
    const lastUse = chargeLastUse(poolId, job, unheard, at, charged);
    const affordable = affordableReplicas(job.spec, spec, lastUse.charged.spentAtto);
    if (affordable >= replicas) return { replicas, revoked, lastUse };
    replicas = affordable;
  }
}

const losesLess = (left: Lease, right: Lease): number =>
  Number(right.isPreempted) - Number(left.isPreempted) ||
  Number(left.startedAt !== undefined) - Number(right.startedAt !== undefined) ||
  Number(right.pricePerSecondAtto > left.pricePerSecondAtto) -
    Number(right.pricePerSecondAtto < left.pricePerSecondAtto) ||
  right.fencingToken - left.fencingToken;

function outOfFunds(
  pool: Pool,
  job: PoolJob,
  affordable: number,
  { poolId, at, charged, gone, heard }: Afterwards,
): readonly PoolEvent[] {
  const { tenantId, jobId } = job;
  const leases = leasesOfJob(pool, job).filter(({ leaseId }) => !gone.has(leaseId));
  const unheard = leases.filter(({ leaseId }) => leaseId !== heard);
  const lastUse = chargeLastUse(poolId, job, unheard, at, charged);
  const data: JobAbandoned = {
    poolId,
    jobId,
    reason: 'insufficient_funds',
    detail: `what is left of the budget pays for ${affordable} replicas for another period`,
    revoked: leases.map(ended),
    settlement: { tenantId, charges: lastUse.charged.charges },
  };
  return [...lastUse.events, { type: 'JobAbandoned', data }];
}
