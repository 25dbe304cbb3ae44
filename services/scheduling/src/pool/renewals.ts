import { costAtto } from '@astro/matching/cost';
import { accept, reject } from '@astro/event-sourcing/decider';
import type {
  JobAbandoned,
  PoolEvent,
  RenewLease,
  ReplicasRequeued,
  ScaleService,
  Service,
  ServiceScaled,
} from '@astro/messages/scheduling';
import { couldHost } from '@astro/matching/rules';
import { idlePriceFactorOf } from './market.js';
import type { PoolJob } from './pool-job.js';
import { LEASE_GRACE_MS, poolLimits } from './pool-limits.js';
import { ended, leasesOfJob, type Lease, type Pool } from './pool-state.js';
import { onEndedLease, refusalOf, type ReportDecision } from './reports.js';
import type { PoolService } from './pool-service.js';
import { affordableReplicas, replicatedTask, scaleAfter, serviceOf } from './service.js';

type RunningService = { readonly job: PoolJob; readonly service: PoolService; readonly spec: Service };

/**
 * A replica that was reported running keeps its lease for another period, and what it used is charged. What is
 * metered is the time by the bus's clock; the node's word counts for the load alone, which bounds and budget bound.
 */
export function renewLease(data: RenewLease, pool: Pool): ReportDecision {
  const lease = pool.leases.get(data.leaseId);
  if (!lease) return onEndedLease(data, pool, []);
  const refused = refusalOf(data, lease, data.at);
  if (refused) return refused;
  if (!lease.startedAt) return reject('LeaseNotStarted');
  const running = runningService(pool, lease.jobId);
  if (!running) return reject('LeaseIsNoReplica');
  const sinceMs = (lease.renewed?.at ?? lease.startedAt).getTime();
  const usedMs = data.at.getTime() - sinceMs;
  // A report that was sent twice, or by an eager node, changes nothing: events are bounded by time.
  if (usedMs < running.spec.periodMs / 2) return accept();

  const renewed = renewal(data, lease, running, usedMs);
  return accept(renewed, ...consequences(pool, running, renewed));
}

/** Present for a job that is a service. */
function runningService(pool: Pool, jobId: string): RunningService | undefined {
  const job = pool.jobs.get(jobId);
  if (!job?.service || !job.spec.service) return undefined;
  return { job, service: job.service, spec: job.spec.service };
}

type Renewed = Extract<PoolEvent, { type: 'LeaseRenewed' }>;

function renewal(
  data: RenewLease,
  lease: Lease,
  { job, service, spec }: RunningService,
  usedMs: number,
): Renewed {
  const { poolId, leaseId, at: renewedAt, digest, outputs, runs } = data;
  const { jobId, taskId, nodeId, operatorId, pricePerSecondAtto } = lease;
  const work = { leaseId, nodeId, operatorId, digest, outputs, meteredMs: usedMs, pricePerSecondAtto };
  return {
    type: 'LeaseRenewed',
    data: {
      poolId,
      leaseId,
      jobId,
      taskId,
      tenantId: job.tenantId,
      renewedAt,
      // After a notice a replica has no more than the rest of it.
      deadline: lease.isPreempted ? lease.deadline : deadlineOfReplica(spec, renewedAt),
      chargeNumber: service.charges + 1,
      work: { ...work, fault: 'none' },
      runs,
      busyMs: Math.min(data.busyMs, usedMs),
    },
  };
}

/** The service has another number of replicas, or ends because its budget does. */
function consequences(
  pool: Pool,
  { job, service, spec }: RunningService,
  renewed: Renewed,
): readonly PoolEvent[] {
  const { poolId, jobId, renewedAt, work } = renewed.data;
  const spentAtto = service.spentAtto + costAtto(work.meteredMs, work.pricePerSecondAtto);
  const affordable = affordableReplicas(job.spec, spec, spentAtto);
  if (affordable < service.replicasMin) {
    const charges = service.charges + 1;
    return [{ type: 'JobAbandoned', data: outOfFunds(pool, poolId, job, charges, affordable) }];
  }
  const { replicas } = scaleSeen(pool, job, renewed);
  const wanted = Math.min(replicas, affordable);
  if (wanted === replicatedTask(job).replicasWanted) return [];
  const { replicasMin, replicasMax } = service;
  return [
    scaled(pool, job, { poolId, jobId, replicas: wanted, replicasMin, replicasMax, scaledAt: renewedAt }),
  ];
}

function outOfFunds(
  pool: Pool,
  poolId: string,
  job: PoolJob,
  charges: number,
  affordable: number,
): JobAbandoned {
  const { tenantId, jobId } = job;
  const detail = `what is left of the budget pays for ${affordable} replicas for another period`;
  const revoked = leasesOfJob(pool, job).map(ended);
  const settlement = { tenantId, charges };
  return { poolId, jobId, reason: 'insufficient_funds', detail, revoked, settlement };
}

/** What a period that lies wholly after the last change says; one that does not says nothing. */
export function scaleSeen(pool: Pool, job: PoolJob, { data }: Renewed): ScaleSeen {
  const service = serviceOf(job);
  const busyShare = busyShareOf(service, data);
  const { replicasWanted } = replicatedTask(job);
  if (busyShare === undefined) return { replicas: replicasWanted, recent: service.recent, busyShare };
  const seen = { leaseId: data.leaseId, busyShare, at: data.renewedAt };
  return { ...scaleAfter(job, leasesOfJob(pool, job), seen), busyShare };
}

type ScaleSeen = ReturnType<typeof scaleAfter> & { readonly busyShare: number | undefined };

function busyShareOf(service: PoolService, { renewedAt, work, busyMs }: Renewed['data']): number | undefined {
  const beganMs = renewedAt.getTime() - work.meteredMs;
  return beganMs < service.scaledAt.getTime() ? undefined : busyMs / work.meteredMs;
}

/** Where there are more than are wanted, those go first that lose the least: under notice, not started, dear, new. */
function scaled(pool: Pool, job: PoolJob, data: Omit<ServiceScaled, 'revoked'>): PoolEvent {
  const leases = [...leasesOfJob(pool, job)].sort(
    (left, right) =>
      Number(right.isPreempted) - Number(left.isPreempted) ||
      Number(left.startedAt !== undefined) - Number(right.startedAt !== undefined) ||
      Number(right.pricePerSecondAtto > left.pricePerSecondAtto) -
        Number(right.pricePerSecondAtto < left.pricePerSecondAtto) ||
      right.fencingToken - left.fencingToken,
  );
  const revoked = leases.slice(0, Math.max(0, leases.length - data.replicas)).map(ended);
  return { type: 'ServiceScaled', data: { ...data, revoked } };
}

/** The tenant's bounds hold at once; within them the load decides, and the budget above all. */
export function scaleByTenant(data: ScaleService, pool: Pool): ReportDecision | undefined {
  const running = runningService(pool, data.jobId);
  if (!running) return undefined;
  const { job, service, spec } = running;
  const { poolId, jobId, replicasMin, replicasMax, at: scaledAt } = data;
  if (service.replicasMin === replicasMin && service.replicasMax === replicasMax) return accept();
  const affordable = affordableReplicas(job.spec, spec, service.spentAtto);
  const within = Math.min(Math.max(replicatedTask(job).replicasWanted, replicasMin), replicasMax);
  const replicas = Math.min(within, affordable);
  return accept(scaled(pool, job, { poolId, jobId, replicas, replicasMin, replicasMax, scaledAt }));
}

export const deadlineOfReplica = ({ periodMs }: Service, from: Date): Date =>
  new Date(from.getTime() + periodMs + LEASE_GRACE_MS);

/** The services whose replicas have waited long enough after a failure. */
export function replicasDue(pool: Pool, poolId: string, now: Date): readonly PoolEvent[] {
  const due: PoolEvent[] = [];
  for (const job of pool.onHold) {
    if (!isDue(job, now) || due.length === poolLimits.requeuedOfTick) break;
    const data: ReplicasRequeued = {
      poolId,
      jobId: job.jobId,
      requeuedAt: now,
      isOnFailedNodes: !hasOtherNode(pool, job),
    };
    due.push({ type: 'ReplicasRequeued', data });
  }
  return due;
}

export const isDue = ({ service }: PoolJob, now: Date): boolean =>
  service?.heldUntil !== undefined && service.heldUntil.getTime() <= now.getTime();

/** Whether a node could host a replica on which none has failed. */
function hasOtherNode(pool: Pool, job: PoolJob): boolean {
  const { failedOn } = replicatedTask(job);
  const needs = pool.needs.of(job.needsKey, job.spec, idlePriceFactorOf(job.spec));
  for (const [nodeId, { engineOffer }] of pool.nodes)
    if (!failedOn.has(nodeId) && couldHost(needs, engineOffer)) return true;
  return false;
}
