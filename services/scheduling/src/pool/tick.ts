import { derivedId } from '@astro/event-sourcing/ids';
import type { Placement } from '@astro/matching/engine/engine';
import type { TaskRequest } from '@astro/matching/engine/request';
import { keptFrom } from '@astro/matching/queue/admit';
import type { Grant } from '@astro/messages/scheduling';
import { heldUnit } from './fleet.js';
import type { PoolTask } from './pool-job.js';
import { isInterruptible } from './market.js';
import { poolLimits } from './pool-limits.js';
import type { Pool } from './pool-state.js';
import type { Preemptions } from './preemption.js';
import { deadlineOf, requestFor } from './request.js';
import type { Ending, KeptNodes } from './reservation.js';

/** What a tick has decided so far. */
export type Tick = {
  readonly pool: Pool;
  readonly now: Date;
  readonly grants: Grant[];
  /** Tasks with a grant. */
  readonly served: Set<PoolTask>;
  /** What the grants hold, and until when at the latest. */
  readonly taken: Ending[];
  readonly preemptions: Preemptions;
  reservation: KeptNodes | undefined;
  reservationsTried: number;
};

/** Whether the tick has room for no more grants than these to come. */
export const isFull = ({ grants }: Tick, toCome = 0): boolean =>
  grants.length + toCome >= poolLimits.grantsOfTick;

/** A request that leaves alone what is promised to others, and what is reserved unless it would be gone by then. */
export function requestBeside(tick: Tick, task: PoolTask): TaskRequest {
  const request = requestBesideReserved(tick, task);
  const { nodeIds } = tick.preemptions;
  if (nodeIds.size === 0) return request;
  return { ...request, nodesExcluded: new Set([...request.nodesExcluded, ...nodeIds]) };
}

export function requestBesideReserved({ pool, now, reservation }: Tick, task: PoolTask): TaskRequest {
  const request = requestFor(pool, task, now);
  const kept = reservation && keptFrom(reservation, now.getTime() + upperMs(task, now));
  if (!kept) return request;
  return { ...request, nodesExcluded: new Set([...request.nodesExcluded, ...kept.nodeIds]) };
}

/** How long a task runs at most; nobody knows how long a replica of a service will. */
export const upperMs = ({ job }: PoolTask, now: Date): number =>
  job.service ? Infinity : deadlineOf(job.spec, now).getTime() - now.getTime();

/** Fixes the price, the deadline and the fencing token of a lease. */
export function grant(
  { pool, now, grants, taken, served }: Tick,
  task: PoolTask,
  replica: number,
  { placed, pricePerSecondAtto }: { readonly placed: Placement; readonly pricePerSecondAtto: bigint },
): void {
  const { job, spec } = task;
  const { nodeId, operatorId, hold } = placed;
  const deadline = deadlineOf(job.spec, now);
  // A service gives its room back some time or never.
  if (!job.service) taken.push({ hold, deadline });
  served.add(task);
  if (!isInterruptible(job.spec)) pool.room.tookFirm(hold);
  grants.push({
    // A replica that is passed over leaves its number unused in this tick: numbers only have to differ.
    leaseId: derivedId('lease', job.jobId, spec.taskId, task.attempts + replica),
    jobId: job.jobId,
    taskId: spec.taskId,
    nodeId,
    operatorId,
    pricePerSecondAtto,
    deadline,
    fencingToken: pool.nextFencingToken + grants.length,
    units: hold.units.map(heldUnit),
  });
}
