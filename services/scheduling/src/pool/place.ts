import type { PlaceTasks, PoolEvent } from '@astro/messages/scheduling';
import { attestationsExpired, hasExpired } from './attestations.js';
import { jobsToAbandon } from './abandon.js';
import { bookingsDue, bookingsDueAtMs, needsBookingTick } from './booking/booking-ticks.js';
import { fundsRequested, hasFundsToSettle, noticeEndsAt } from './funding.js';
import { decideTick } from './grants.js';
import { isDue, replicasDue } from './renewals.js';
import { chargeLastUse } from './last-use.js';
import { replicatedTask, settlementOf } from './service.js';
import { runningService, scaleOrEnd } from './service-scale.js';
import { policyNameOf } from './learning/adopt.js';
import { MARKET_VERSION, pricesAt, pricesFallAt } from './market.js';
import type { Preemption } from './preemption.js';
import { poolLimits } from './pool-limits.js';
import { nextRelaxedAtMs } from './spread.js';
import { ended, isOverdue, leasesOfJob, type Lease, type Pool } from './pool-state.js';

/**
 * One tick. It does the first of seven that there is to do: evidence of nodes expires, what is overdue expires,
 * bookings start, end and move, replicas that waited after a failure may be placed again, what cannot be served is
 * given up, money is asked for where more could run, what waits is placed where it fits. So each decision rests on
 * recorded facts alone: capacity that comes free by one tick is given away by the next.
 */
export function placeTasks({ poolId, now, patienceMs }: PlaceTasks, pool: Pool): readonly PoolEvent[] {
  const unproved = attestationsExpired(pool, poolId, now);
  if (unproved.length > 0) return unproved;

  const overdue = overdueLeases(pool, now);
  if (overdue.length > 0) return endsOf(poolId, overdue, now, pool);

  const booked = bookingsDue(pool, poolId, now);
  if (booked.length > 0) return booked;

  const due = replicasDue(pool, poolId, now);
  if (due.length > 0) return due;

  const hopeless = jobsToAbandon(pool, now, patienceMs);
  if (hopeless.length > 0)
    return hopeless.flatMap(({ job, reason, detail }) => {
      const leases = leasesOfJob(pool, job);
      const { events, charged } = chargeLastUse(poolId, job, leases, now);
      const settlement = settlementOf(job, charged);
      const data = { poolId, jobId: job.jobId, reason, detail, revoked: leases.map(ended), ...settlement };
      return [...events, { type: 'JobAbandoned', data }] as const;
    });

  const funds = fundsRequested(pool, poolId);
  if (funds.length > 0) return funds;

  const { grants, clearings, preemptions } = pool.room.simulate(() => decideTick(pool, now));
  const notices = preemptions.map(preemption => noticeOf(poolId, preemption, now));
  if (grants.length === 0) return notices;
  const policy = policyNameOf(pool);
  const weightsVersion = pool.engine.termWeights.version;
  const market = { prices: pricesAt(pool, now, clearings), marketVersion: MARKET_VERSION };
  const data = { poolId, grants, decidedAt: now, policy, weightsVersion, ...market };
  return [{ type: 'LeasesGranted', data }, ...notices];
}

/**
 * A lease whose notice is over was taken from its node; one that ran out of time was not kept by it. So a replica
 * of the first kind is charged to the end, which may leave less money than its service needs.
 */
function endsOf(poolId: string, overdue: readonly Lease[], now: Date, pool: Pool): readonly PoolEvent[] {
  const revoked = overdue.filter(({ isPreempted }) => isPreempted);
  const expired = overdue.filter(({ isPreempted }) => !isPreempted).map(ended);
  const gone = new Set(overdue.map(({ leaseId }) => leaseId));
  const metered: PoolEvent[] = [];
  const consequences: PoolEvent[] = [];
  for (const [jobId, leases] of Map.groupBy(revoked, lease => lease.jobId)) {
    const running = runningService(pool, jobId);
    if (!running) continue;
    const { events, charged } = chargeLastUse(poolId, running.job, leases, now);
    const { replicasWanted } = replicatedTask(running.job);
    metered.push(...events);
    consequences.push(...scaleOrEnd(pool, running, replicasWanted, { poolId, at: now, charged, gone }));
  }
  const events = [...metered];
  if (revoked.length > 0)
    events.push({ type: 'LeasesRevoked', data: { poolId, leases: revoked.map(ended) } });
  if (expired.length > 0) events.push({ type: 'LeasesExpired', data: { poolId, leases: expired } });
  return [...events, ...consequences];
}

function noticeOf(poolId: string, { task, leases, noticeUntil }: Preemption, decidedAt: Date): PoolEvent {
  const { job, spec } = task;
  return {
    type: 'LeasesPreempted',
    data: {
      poolId,
      leases: leases.map(ended),
      decidedAt,
      noticeUntil,
      forJobId: job.jobId,
      forTaskId: spec.taskId,
      forLeaseClass: job.spec.leaseClass,
    },
  };
}

function overdueLeases(pool: Pool, now: Date): readonly Lease[] {
  const overdue: Lease[] = [];
  for (const lease of pool.byDeadline) {
    if (!isOverdue(lease, now) || overdue.length === poolLimits.expiriesOfTick) break;
    overdue.push(lease);
  }
  return overdue;
}

/** Whether a tick could have anything to do. */
export function needsTick(pool: Pool, now: Date): boolean {
  const ending = pool.byDeadline.first;
  const held = pool.onHold.first;
  const attested = pool.byAttestation.first;
  return (
    (attested !== undefined && hasExpired(attested, now)) ||
    pool.waiting.size > 0 ||
    hasFundsToSettle(pool, now) ||
    needsBookingTick(pool, now) ||
    (ending !== undefined && isOverdue(ending, now)) ||
    (held !== undefined && isDue(held, now))
  );
}

/**
 * When time alone next changes what a tick decides: a lease becomes overdue, a failed replica's wait ends, a job's
 * patience or notice ends, a price falls, a booking begins or ends, a replica need not be kept as far apart.
 * Until then a pool on which a tick found nothing to do needs none.
 */
export function nextDueAt(pool: Pool, now: Date, patienceMs: number): Date | undefined {
  const ending = pool.byDeadline.firstNotBefore(lease => isOverdue(lease, now));
  const patient = pool.byMove.firstNotBefore(job => now.getTime() - job.movedAt.getTime() > patienceMs);
  const held = pool.onHold.firstNotBefore(job => isDue(job, now));
  const attested = pool.byAttestation.firstNotBefore(node => hasExpired(node, now));
  const cheaper = pool.waiting.size > 0 ? pricesFallAt(pool, now) : undefined;
  const due = Math.min(
    attested?.attestation?.expiresAt.getTime() ?? Infinity,
    held?.service?.heldUntil?.getTime() ?? Infinity,
    noticeEndsAt(pool, now)?.getTime() ?? Infinity,
    bookingsDueAtMs(pool, now),
    nextRelaxedAtMs(pool, now),
    cheaper ? cheaper.getTime() : Infinity,
    ending ? ending.deadline.getTime() + 1 : Infinity,
    patient ? patient.movedAt.getTime() + patienceMs + 1 : Infinity,
  );
  return due === Infinity ? undefined : new Date(due);
}
