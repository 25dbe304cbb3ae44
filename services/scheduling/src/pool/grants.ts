import { derivedId } from '@astro/event-sourcing/ids';
import type { Placement } from '@astro/matching/engine/engine';
import type { TaskRequest } from '@astro/matching/engine/request';
import type { GangTopology, Grant } from '@astro/messages/scheduling';
import { heldUnit } from './fleet.js';
import { leasePriceAtto, NO_SURGE } from './needs.js';
import { waitingReplicas, type PoolTask } from './pool-job.js';
import { placeMembers } from './gang.js';
import { deadlineOf, requestFor } from './request.js';
import { hasWaitedLong, reservationFor, type Ending, type Reservation } from './reservation.js';
import { poolLimits } from './pool-limits.js';
import { TickShares } from './pool-shares.js';
import type { Pool } from './pool-state.js';
import type { WaitingGroup } from './waiting-group.js';

type Tick = {
  readonly pool: Pool;
  readonly now: Date;
  readonly grants: Grant[];
  /** What the grants hold, and until when at the latest. */
  readonly taken: Ending[];
  reservation: Reservation | undefined;
  reservationsTried: number;
};

/** Each looks at every lease in its way. */
const RESERVATIONS_TRIED_MAX = 2;

/**
 * Places the waiting replicas in the order of the queue, each where it fits best now; what does not fit is passed
 * over, and with it all that waits for the same. The first that has waited long gets a reservation, and others
 * pass it only where they do not delay it. Fixes the price, the deadline and the fencing token of each lease.
 * Takes from the engine what it grants: to be undone by the caller.
 */
export function grantsFor(pool: Pool, now: Date): readonly Grant[] {
  if (pool.waiting.size === 0) return [];
  const tick: Tick = { pool, now, grants: [], taken: [], reservation: undefined, reservationsTried: 0 };
  const shares = new TickShares(pool.shares);
  const walk = pool.waiting.walk(tenantId => shares.useOfEntitlement(tenantId));
  for (let next = walk.next(); next; next = walk.next()) {
    const { task, group } = next;
    const before = tick.grants.length;
    const { gang } = task.job.spec;
    if (gang) grantGang(tick, group, gang.topology);
    else grantTask(tick, group, task);
    if (tick.grants.length > before) shares.give(task.job.tenantId, task.job.spec);
    else reserveFor(tick, group);
    // Where the first replica of a task finds no room, no task of its group does: room only shrinks here.
    if (gang || tick.grants.length === before) walk.leaveOut(group.key);
    if (tick.grants.length >= poolLimits.grantsOfTick) break;
  }
  return tick.grants;
}

/** The head of those that wait long is the one that matters; one that would never fit must not hide it for ever. */
function reserveFor(tick: Tick, group: WaitingGroup): void {
  if (tick.reservation || tick.reservationsTried === RESERVATIONS_TRIED_MAX) return;
  if (!hasWaitedLong(group, tick.now)) return;
  tick.reservationsTried += 1;
  tick.reservation = reservationFor(tick.pool, tick.taken, group, tick.now);
}

function grantTask(tick: Tick, group: WaitingGroup, task: PoolTask): void {
  const request = requestBeside(tick, task);
  const operatorsExcluded = new Set(task.operators);
  const { service } = task.job;
  const replicas = service ? waitingReplicas(task) : group.replicas;
  for (let replica = 1; replica <= replicas; replica += 1) {
    if (tick.grants.length === poolLimits.grantsOfTick) return;
    const placement = tick.pool.engine.place({ ...request, operatorsExcluded });
    if (placement === 'NoNodeFits') return;
    if (!service) operatorsExcluded.add(placement.operatorId);
    tick.grants.push(grantOf(tick, task, replica, placement));
  }
}

/** All members that wait, or none. A gang that is too large for what is left of the tick waits for the next. */
function grantGang(tick: Tick, group: WaitingGroup, topology: GangTopology): void {
  const members = [...group.tasks];
  if (tick.grants.length > 0 && tick.grants.length + members.length > poolLimits.grantsOfTick) return;
  const requests = members.map(task => requestBeside(tick, task));
  const placements = placeMembers(tick.pool, members[0]!.job, requests, topology);
  placements.forEach((placement, index) => tick.grants.push(grantOf(tick, members[index]!, 1, placement)));
}

/** A request that leaves alone what is reserved, unless it would be gone by then. */
function requestBeside({ pool, now, reservation }: Tick, task: PoolTask): TaskRequest {
  const request = requestFor(pool, task, now);
  if (!reservation) return request;
  const isGoneByThen = !task.job.service && deadlineOf(task.job.spec, now).getTime() <= reservation.fromMs;
  if (isGoneByThen) return request;
  return { ...request, nodesExcluded: new Set([...request.nodesExcluded, ...reservation.nodeIds]) };
}

function grantOf(
  { pool, now, grants, taken }: Tick,
  task: PoolTask,
  replica: number,
  placed: Placement,
): Grant {
  const { job, spec } = task;
  const { nodeId, operatorId, priceAtto, hold } = placed;
  const deadline = deadlineOf(job.spec, now);
  // A service gives its room back some time or never.
  if (!job.service) taken.push({ hold, deadline });
  return {
    // A replica that is passed over leaves its number unused in this tick: numbers only have to differ.
    leaseId: derivedId('lease', job.jobId, spec.taskId, task.attempts + replica),
    jobId: job.jobId,
    taskId: spec.taskId,
    nodeId,
    operatorId,
    pricePerSecondAtto: leasePriceAtto(job.spec, priceAtto, NO_SURGE),
    deadline,
    fencingToken: pool.nextFencingToken + grants.length,
    units: hold.units.map(heldUnit),
  };
}
