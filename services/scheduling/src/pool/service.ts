import { costAtto, maxTransferAtto } from '@astro/matching/cost';
import { scaleService, type ServiceBounds, type ServiceScale } from '@astro/matching/queue/replicas';
import type { JobSpec, Service, ServiceSettlement } from '@astro/messages/scheduling';
import type { PoolJob, PoolTask } from './pool-job.js';
import { LEASE_GRACE_MS } from './pool-limits.js';
import type { PoolService } from './pool-service.js';
import type { Lease } from './pool-state.js';

export const newService = ({ replicasMin, replicasMax }: Service, queuedAt: Date): PoolService => ({
  replicasMin,
  replicasMax,
  recent: [],
  scaledAt: queuedAt,
  charges: 0,
  spentAtto: 0n,
  failures: 0,
  heldUntil: undefined,
  isUnderNotice: false,
});

export type RunningService = {
  readonly job: PoolJob;
  readonly service: PoolService;
  readonly spec: Service;
};

export function serviceOf({ jobId, service }: PoolJob): PoolService {
  if (!service) throw new Error(`job ${jobId} is no service`);
  return service;
}

/** A job of this kind has one task, whose replicas it is about. */
export function replicatedTask({ jobId, tasks }: PoolJob): PoolTask {
  const [task] = tasks.values();
  if (!task) throw new Error(`service ${jobId} has no task`);
  return task;
}

const BACK_OFF = { baseMs: 1_000, maxMs: 300_000 };

/** How long the next replica waits after so many have failed in a row. */
export const replacementDelayMs = (failures: number): number =>
  Math.min(BACK_OFF.maxMs, BACK_OFF.baseMs * 2 ** Math.min(failures - 1, 20));

/** The most that one replica can cost between two charges: a lease that is not renewed has ended by then. */
export const reserveOfReplicaAtto = (spec: JobSpec, { periodMs }: Service): bigint =>
  costAtto(periodMs + LEASE_GRACE_MS, spec.requirements.maxPricePerSecondAtto) + maxTransferAtto(spec, 0);

/** So many replicas can run without costing more than the budget, whatever happens to them. */
export const affordableReplicas = (spec: JobSpec, service: Service, spentAtto: bigint): number =>
  Number((service.budgetAtto - spentAtto) / reserveOfReplicaAtto(spec, service));

/** @param charged what it was charged until now */
export const settlementOf = (
  { tenantId, service }: PoolJob,
  { charges }: Pick<PoolService, 'charges'>,
): { settlement?: ServiceSettlement } => (service ? { settlement: { tenantId, charges } } : {});

/** The share of the time since the last report in which the replica ran its program, from 0 to 1. */
export type Seen = { readonly leaseId: string; readonly busyShare: number; readonly at: Date };

/**
 * What the service's scale becomes with a report that has just come in. The load is what all replicas that are
 * wanted would bear, if those that have not reported since the last change bear as much as those that have.
 */
export function scaleAfter(job: PoolJob, leases: readonly Lease[], seen: Seen): ServiceScale {
  const { service, spec } = job;
  if (!service || !spec.service) throw new Error(`job ${job.jobId} is no service`);
  const { replicasWanted } = replicatedTask(job);
  const shares = leases.flatMap(({ leaseId, renewed }) =>
    leaseId !== seen.leaseId && renewed?.busyShare !== undefined ? [renewed.busyShare] : [],
  );
  shares.push(seen.busyShare);
  const load = (shares.reduce((sum, share) => sum + share, 0) / shares.length) * replicasWanted;
  const atMs = Math.max(seen.at.getTime(), service.recent.at(-1)?.atMs ?? 0);
  return scaleService(
    { replicas: replicasWanted, recent: service.recent },
    { load, atMs },
    boundsOf(service, spec.service),
  );
}

const boundsOf = ({ replicasMin, replicasMax }: PoolService, spec: Service): ServiceBounds => ({
  replicasMin,
  replicasMax,
  loadPerReplica: spec.targetBusyThousandths / 1_000,
  tolerance: spec.toleranceThousandths / 1_000,
  coolDownMs: spec.coolDownMs,
});
