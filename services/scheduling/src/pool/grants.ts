import type { Placement, PlacementEngine } from '@astro/matching/engine/engine';
import type { TaskRequest } from '@astro/matching/engine/request';
import { admit, type AdmissionRules } from '@astro/matching/queue/admit';
import type { GangTopology, Grant } from '@astro/messages/scheduling';
import { sellIdleCapacity } from './auction.js';
import { BookedRoom } from './booking/booked-room.js';
import { RoomsOfTick } from './booking/rooms-of-tick.js';
import { placeMembers } from './gang.js';
import { priceFactorOf } from './market.js';
import { leasePriceAtto } from './needs.js';
import { waitingReplicas, type PoolTask } from './pool-job.js';
import { poolLimits } from './pool-limits.js';
import { TickShares } from './pool-shares.js';
import type { Pool } from './pool-state.js';
import type { PricedKind } from './pool-use.js';
import { Preemptions, type Preemption } from './preemption.js';
import type { QueuedTask } from './queued-task.js';
import { requestFor } from './request.js';
import { hasWaitedLong, reservationFor, type KeptNodes } from './reservation.js';
import { grant, isFull, requestBeside, requestForRoomMade, upperMs, type Tick } from './tick.js';
import type { WaitingGroup } from './waiting-group.js';

export type TickDecision = {
  readonly grants: readonly Grant[];
  /** What the auctions cleared at, for each device and second. */
  readonly clearings: ReadonlyMap<PricedKind, bigint>;
  readonly preemptions: readonly Preemption[];
};

/** Each looks at every lease in its way. */
const RESERVATIONS_TRIED_MAX = 2;
/** A tick is limited by its grants, and a promise rests on deadlines, which are kept. */
const admissionRules: AdmissionRules = {
  backfillDepthMax: Infinity,
  startsMax: Infinity,
  promiseGraceMs: Infinity,
  endsByClass: true,
};

/** What waits in the order of the queue; what is left is sold to interruptible work. */
export function decideTick(pool: Pool, now: Date): TickDecision {
  const tick = placeInOrder(pool, now);
  const clearings = sellIdleCapacity(tick);
  return { grants: tick.grants, clearings, preemptions: tick.preemptions.plans };
}

/**
 * Places the waiting replicas in the order of the queue, each where it fits best now; what does not fit is passed
 * over, and with it all that waits for the same, and interruptible leases are told to make room for it. The first
 * that has waited long gets a reservation, and others pass it only where they do not delay it. Takes from the engine
 * what it grants: to be undone by the caller.
 */
export function placeInOrder(pool: Pool, now: Date): Tick {
  const tick: Tick = {
    pool,
    now,
    grants: [],
    served: new Set(),
    taken: [],
    preemptions: new Preemptions(pool, now),
    booked: new BookedRoom(pool, now.getTime()),
    rooms: new RoomsOfTick(pool, now),
    reservation: undefined,
    reservationsTried: 0,
  };
  const shares = new TickShares(pool.shares);
  const walk = pool.waiting.walk(tenantId => shares.useOfEntitlement(tenantId));
  const start = ({ task, group }: QueuedTask) => grantTo(tick, group, task);
  admit<QueuedTask, KeptNodes>({
    walk: { next: () => (isFull(tick) ? undefined : walk.next()), leaveOut: key => walk.leaveOut(key) },
    room: {
      start,
      // What is granted leaves the tick's reservation alone by itself.
      startBeside: start,
      // What is booked counts against nobody's share, and nothing can be told to leave it.
      makeRoom: ({ task, group }) => !isBooked(task) && makeRoomFor(tick, group),
      reserve: ({ task, group }) => (isBooked(task) ? undefined : reserveFor(tick, group)),
    },
    nowMs: now.getTime(),
    upperMs: ({ task }) => upperMs(task, now),
    onStart({ task, classKey }) {
      const { job } = task;
      if (!isBooked(task)) shares.give(job.tenantId, job.spec);
      // All of its members were granted together.
      if (job.spec.gang) walk.leaveOut(classKey);
    },
    promised: undefined,
    rules: admissionRules,
  });
  return tick;
}

const isBooked = ({ job }: PoolTask): boolean => job.spec.bookingId !== undefined;

/** The head of those that wait long is the one that matters; one that would never fit must not hide it for ever. */
function reserveFor(tick: Tick, group: WaitingGroup): KeptNodes | undefined {
  if (tick.reservationsTried === RESERVATIONS_TRIED_MAX || !hasWaitedLong(group, tick.now)) return undefined;
  tick.reservationsTried += 1;
  tick.reservation = reservationFor(tick.pool, tick.taken, group, tick.now);
  return tick.reservation;
}

/** Whether any replica of it was granted: where the first finds no room, none of its group does. */
function grantTo(tick: Tick, group: WaitingGroup, task: PoolTask): boolean {
  const before = tick.grants.length;
  const { gang } = task.job.spec;
  if (gang) grantGang(tick, group, gang.topology);
  else grantTask(tick, group, task);
  return tick.grants.length > before;
}

/** Where a task finds room, and for what. */
type Capacity = {
  readonly engine: PlacementEngine;
  readonly requestOf: (task: PoolTask) => TaskRequest;
  readonly priceAtto: (task: PoolTask, placed: Placement) => bigint;
};

/** Everybody's, at the posted price; or what is booked, which is paid already. Nothing while that is not there. */
function capacityFor(tick: Tick, { job }: PoolTask): Capacity | undefined {
  const { pool, now } = tick;
  if (job.spec.bookingId === undefined)
    return {
      engine: pool.engine,
      requestOf: task => requestBeside(tick, task),
      priceAtto: ({ job: { spec } }, placed) =>
        leasePriceAtto(spec, placed.priceAtto, priceFactorOf(pool, spec, now)),
    };
  const engine = tick.rooms.of(job);
  return engine && { engine, requestOf: task => requestFor(pool, task, now), priceAtto: () => 0n };
}

function grantTask(tick: Tick, group: WaitingGroup, task: PoolTask): void {
  const capacity = capacityFor(tick, task);
  if (!capacity) return;
  const { engine, requestOf, priceAtto } = capacity;
  const request = requestOf(task);
  const operatorsExcluded = new Set(request.operatorsExcluded);
  const { service } = task.job;
  const replicas = service ? waitingReplicas(task) : group.replicas;
  for (let replica = 1; replica <= replicas; replica += 1) {
    if (isFull(tick)) return;
    const placed = engine.place({ ...request, operatorsExcluded });
    if (placed === 'NoNodeFits') return;
    if (!service && replica < replicas)
      tick.pool.kinship.addWithRelatives(placed.operatorId, operatorsExcluded);
    grant(tick, task, replica, { placed, pricePerSecondAtto: priceAtto(task, placed) });
  }
}

/** All members that wait, or none. A gang that is too large for what is left of the tick waits for the next. */
function grantGang(tick: Tick, group: WaitingGroup, topology: GangTopology): void {
  const members = [...group.tasks];
  if (tick.grants.length > 0 && tick.grants.length + members.length > poolLimits.grantsOfTick) return;
  const { job } = members[0]!;
  const capacity = capacityFor(tick, members[0]!);
  if (!capacity) return;
  const { engine, requestOf, priceAtto } = capacity;
  const placements = placeMembers(
    { engine, leases: tick.pool.leases },
    job,
    members.map(requestOf),
    topology,
  );
  placements.forEach((placed, index) => {
    const member = members[index]!;
    grant(tick, member, 1, { placed, pricePerSecondAtto: priceAtto(member, placed) });
  });
}

/** Whether the first of the group is promised room; more of its tasks are, as far as the limits of a tick go. */
function makeRoomFor(tick: Tick, { spec, tasks, replicas }: WaitingGroup): boolean {
  const { preemptions } = tick;
  if (spec.gang) {
    const requests = [...tasks].map(task => requestForRoomMade(tick, task));
    return preemptions.makeRoom({ task: tasks.first!, requests }) !== undefined;
  }
  let isFirst = true;
  for (const task of tasks) {
    if (tick.served.has(task)) continue;
    const request = requestForRoomMade(tick, task);
    const operatorsExcluded = new Set(request.operatorsExcluded);
    for (let replica = 1; replica <= replicas; replica += 1) {
      const operators = preemptions.makeRoom({ task, requests: [{ ...request, operatorsExcluded }] });
      if (!operators) return !isFirst;
      for (const operator of operators) tick.pool.kinship.addWithRelatives(operator, operatorsExcluded);
      isFirst = false;
    }
  }
  return !isFirst;
}
