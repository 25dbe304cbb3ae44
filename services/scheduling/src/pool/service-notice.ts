import { costAtto } from '@astro/matching/cost';
import type { PoolEvent } from '@astro/messages/scheduling';
import { LEASE_GRACE_MS } from './pool-limits.js';
import { replicatedTask, reserveOfReplicaAtto, type RunningService } from './service.js';

type Spent = { readonly spentAtto: bigint };

/** What the budget has left beyond the least that keeps the service alive. */
const spareAtto = ({ job, service, spec }: RunningService, { spentAtto }: Spent): bigint =>
  spec.budgetAtto - spentAtto - BigInt(service.replicasMin) * reserveOfReplicaAtto(job.spec, spec);

const runningAtto = ({ job }: RunningService, replicas: number, ms: number): bigint =>
  BigInt(replicas) * costAtto(ms, job.spec.requirements.maxPricePerSecondAtto);

/** Long enough for the notice to be a whole one when the next charge shows that it must be given. */
const aheadMs = ({ job, spec }: RunningService): number =>
  (job.spec.funding?.noticeMs ?? 0) + spec.periodMs + LEASE_GRACE_MS;

/** No more replicas than leave time for a notice, unless so many are there already. */
export function replicasWithNotice(running: RunningService, wanted: number, charged: Spent): number {
  const { job } = running;
  const { replicasWanted } = replicatedTask(job);
  if (!job.spec.funding || wanted <= replicasWanted) return wanted;
  const one = runningAtto(running, 1, aheadMs(running));
  const affordable = Number(spareAtto(running, charged) / one);
  return Math.min(wanted, Math.max(replicasWanted, affordable));
}

/**
 * Notice that the budget will be used up. At the price cap it pays for the replicas until `stopsAt`; they may cost
 * less, and then it lasts longer.
 */
export function noticeOfBudget(
  running: RunningService,
  replicas: number,
  { poolId, at }: { readonly poolId: string; readonly at: Date },
  charged: Spent,
): readonly PoolEvent[] {
  const { job, service, spec } = running;
  if (!job.spec.funding || service.isUnderNotice) return [];
  const spare = spareAtto(running, charged);
  if (spare >= runningAtto(running, replicas, aheadMs(running))) return [];
  const lastsMs = Number((spare * 1_000n) / runningAtto(running, replicas, 1_000));
  const data = {
    poolId,
    jobId: job.jobId,
    number: 1,
    missingAtto: runningAtto(running, replicas, spec.periodMs),
    availableAtto: spec.budgetAtto - charged.spentAtto,
    stopsAt: new Date(at.getTime() + lastsMs),
  };
  return [{ type: 'FundsRunOut', data }];
}
