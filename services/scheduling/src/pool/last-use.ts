import { usedAtto } from '@astro/matching/cost';
import type { PoolEvent, Result, Service } from '@astro/messages/scheduling';
import type { PoolJob } from './pool-job.js';
import type { Lease } from './pool-state.js';
import { replicatedTask, serviceOf } from './service.js';

/** How far the charges of a service have come. */
export type Charged = { readonly charges: number; readonly spentAtto: bigint };

export type LastUse = { readonly events: readonly PoolEvent[]; readonly charged: Charged };

/**
 * The pool ends these replicas itself, so that what each used since it was last heard of is charged: one period at
 * most, because whoever runs is heard of in each. A replica that failed or fell silent is charged nothing more:
 * nobody but its node could say for how long it ran.
 * @param leases of the job
 * @param at when they end; those with an earlier deadline end then
 * @param charged what the service was charged until now, where the pool does not know it yet
 */
export function chargeLastUse(
  poolId: string,
  job: PoolJob,
  leases: readonly Lease[],
  at: Date,
  charged?: Charged,
): LastUse {
  const { tenantId, jobId, spec } = job;
  if (!spec.service) return { events: [], charged: { charges: 0, spentAtto: 0n } };
  const { charges, spentAtto } = charged ?? serviceOf(job);
  const { service } = spec;
  const work = leases.flatMap(lease => lastUseOf(lease, service, at));
  if (work.length === 0) return { events: [], charged: { charges, spentAtto } };
  const { taskId } = replicatedTask(job).spec;
  const data = { poolId, jobId, taskId, tenantId, chargeNumber: charges + 1, work };
  return {
    events: [{ type: 'ReplicasMetered', data }],
    charged: {
      charges: charges + work.length,
      spentAtto: work.reduce((sum, used) => sum + usedAtto(used), spentAtto),
    },
  };
}

function lastUseOf(lease: Lease, { periodMs }: Service, at: Date): readonly Result[] {
  const { leaseId, nodeId, operatorId, pricePerSecondAtto, startedAt, renewed, deadline } = lease;
  const heardAt = renewed?.at ?? startedAt;
  if (!heardAt) return [];
  const usedMs = Math.min(at.getTime(), deadline.getTime()) - heardAt.getTime();
  const meteredMs = Math.min(usedMs, periodMs);
  if (meteredMs <= 0) return [];
  const of = { leaseId, nodeId, operatorId, pricePerSecondAtto };
  return [{ ...of, meteredMs, fault: 'none', digest: '', outputs: [] }];
}
