import { usedAtto } from '@astro/matching/cost';
import { accept, reject } from '@astro/event-sourcing/decider';
import type {
  PoolEvent,
  RenewLease,
  ReplicasRequeued,
  ScaleService,
  Service,
} from '@astro/messages/scheduling';
import { couldHost } from '@astro/matching/rules';
import { idlePriceFactorOf } from './market.js';
import type { PoolJob } from './pool-job.js';
import { LEASE_GRACE_MS, poolLimits } from './pool-limits.js';
import { leasesOfJob, type Lease, type Pool } from './pool-state.js';
import { onEndedLease, refusalOf, type ReportDecision } from './reports.js';
import type { PoolService } from './pool-service.js';
import { replicatedTask, scaleAfter, serviceOf, type RunningService } from './service.js';
import { affordableScale, runningService, scaled, scaleOrEnd } from './service-scale.js';
import { transferOf } from './transfer.js';

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

type Renewed = Extract<PoolEvent, { type: 'LeaseRenewed' }>;

function renewal(
  data: RenewLease,
  lease: Lease,
  { job, service, spec }: RunningService,
  usedMs: number,
): Renewed {
  const { poolId, leaseId, at: renewedAt, digest, outputs, runs } = data;
  const { jobId, taskId, nodeId, operatorId, pricePerSecondAtto } = lease;
  const moved = transferOf(lease, replicatedTask(job), data);
  const work = {
    leaseId,
    nodeId,
    operatorId,
    digest,
    outputs,
    meteredMs: usedMs,
    pricePerSecondAtto,
    ...moved,
  };
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

function consequences(pool: Pool, running: RunningService, { data }: Renewed): readonly PoolEvent[] {
  const { poolId, leaseId, renewedAt: at, work, chargeNumber: charges } = data;
  const spentAtto = running.service.spentAtto + usedAtto(work);
  const { replicas } = scaleSeen(pool, running.job, { type: 'LeaseRenewed', data });
  const afterwards = { poolId, at, charged: { charges, spentAtto }, gone: new Set<string>(), heard: leaseId };
  return scaleOrEnd(pool, running, replicas, afterwards);
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

/** The tenant's bounds hold at once; within them the load decides, and the budget above all. */
export function scaleByTenant(data: ScaleService, pool: Pool): ReportDecision | undefined {
  const running = runningService(pool, data.jobId);
  if (!running) return undefined;
  const { job, service } = running;
  const { poolId, replicasMin, replicasMax, at } = data;
  if (service.replicasMin === replicasMin && service.replicasMax === replicasMax) return accept();
  const within = Math.min(Math.max(replicatedTask(job).replicasWanted, replicasMin), replicasMax);
  const afterwards = { poolId, at, charged: service, gone: new Set<string>() };
  const scale = affordableScale(pool, running, within, afterwards);
  return accept(...scaled(running, data, scale, afterwards));
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
