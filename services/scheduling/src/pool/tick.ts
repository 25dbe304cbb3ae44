import { derivedId } from '@astro/event-sourcing/ids';
import type { Placement } from '@astro/matching/engine/engine';
import type { TaskRequest } from '@astro/matching/engine/request';
import { keptFrom } from '@astro/matching/queue/admit';
import type { Grant, JobSpec } from '@astro/messages/scheduling';
import { continuesFrom } from './checkpoints.js';
import { heldUnit } from './fleet.js';
import type { PoolTask } from './pool-job.js';
import { isInterruptible } from './market.js';
import { poolLimits, PREEMPTION_NOTICE_MS } from './pool-limits.js';
import type { BookedRoom } from './booking/booked-room.js';
import type { RoomsOfTick } from './booking/rooms-of-tick.js';
import { CLEARING_MS } from './booking/booking-limits.js';
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
  /** What is booked is taken out as far as it matters for what is placed next. */
  readonly booked: BookedRoom;
  readonly rooms: RoomsOfTick;
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

export function requestBesideReserved(tick: Tick, task: PoolTask): TaskRequest {
  const { pool, now, reservation, booked, preemptions } = tick;
  // Where room is promised, it is to what is gone before anything booked begins; nothing else is placed there.
  booked.keepUntil(occupiesUntilMs(task.job.spec, now), preemptions.nodeIds);
  const request = requestFor(pool, task, now);
  const kept = reservation && keptFrom(reservation, now.getTime() + upperMs(task, now));
  if (!kept) return request;
  return { ...request, nodesExcluded: new Set([...request.nodesExcluded, ...kept.nodeIds]) };
}

/** How long a task runs at most; nobody knows how long a replica of a service will. */
export const upperMs = ({ job }: PoolTask, now: Date): number =>
  job.service ? Infinity : deadlineOf(job.spec, now).getTime() - now.getTime();

/** Until when a lease that is granted now may be in the way; one that may be stopped, for no longer than that takes. */
export function occupiesUntilMs(spec: JobSpec, now: Date): number {
  if (isInterruptible(spec)) return now.getTime() + CLEARING_MS;
  return spec.service ? Infinity : deadlineOf(spec, now).getTime();
}

/**
 * A request that waits for room that others make. None of them is told to go where a booking begins that
 * the task might be in the way of.
 */
export function requestForRoomMade(tick: Tick, task: PoolTask): TaskRequest {
  const request = requestBesideReserved(tick, task);
  const untilMs = occupiesUntilMs(task.job.spec, tick.now) + PREEMPTION_NOTICE_MS;
  const nodeIds = tick.booked.nodesStartingBefore(untilMs);
  if (nodeIds.length === 0) return request;
  return { ...request, nodesExcluded: new Set([...request.nodesExcluded, ...nodeIds]) };
}

/** Fixes the prices, the deadline and the fencing token of a lease. */
export function grant(
  { pool, now, grants, taken, served }: Tick,
  task: PoolTask,
  replica: number,
  { placed, pricePerSecondAtto }: { readonly placed: Placement; readonly pricePerSecondAtto: bigint },
): void {
  const { job, spec } = task;
  const { nodeId, operatorId, hold } = placed;
  const { pricePerGibTransferredAtto } = pool.nodes.get(nodeId)!.offer;
  const deadline = deadlineOf(job.spec, now);
  served.add(task);
  if (job.spec.bookingId === undefined) {
    // A service gives its room back some time or never.
    if (!job.service) taken.push({ hold, deadline });
    if (!isInterruptible(job.spec)) pool.room.tookFirm(hold);
  }
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
    ...continuesFrom(task, operatorId),
    // What runs in a booking is paid already.
    ...(pricePerGibTransferredAtto !== undefined &&
      job.spec.bookingId === undefined && { pricePerGibTransferredAtto }),
  });
}
