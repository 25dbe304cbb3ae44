import { costAtto } from '@astro/matching/cost';
import type { Placement, PlacementEngine } from '@astro/matching/engine/engine';
import { plainRequest, type TaskRequest } from '@astro/matching/engine/request';
import { earliestFit } from '@astro/matching/queue/earliest-fit';
import { couldHost, countExcluded } from '@astro/matching/rules';
import type { JobSpec, PlanJob } from '@astro/messages/scheduling';
import { replicasAtFirst } from '../job/verification-limits.js';
import { sellIdleCapacity } from './auction.js';
import { placeWhole } from './gang.js';
import { placeInOrder } from './grants.js';
import {
  auctionedPriceAtto,
  bidAtto,
  idlePriceFactorOf,
  isInterruptible,
  priceFactorOf,
  surgeOf,
} from './market.js';
import { BookedRoom } from './booking/booked-room.js';
import { endsInTime, roomOf } from './booking/room-of-booking.js';
import { leasePriceAtto, needsOf, NO_SURGE } from './needs.js';
import { PREEMPTION_NOTICE_MS } from './pool-limits.js';
import { kindOf, type PricedKind } from './pool-use.js';
import { LOOKS } from './reservation.js';
import { jobOfLease, type Lease, type Pool } from './pool-state.js';
import { occupiesUntilMs } from './tick.js';

/** What a plan says; prices in base units for each second of a lease, times from the asking. */
export type JobPlan = {
  /** Replicas that would start at the next tick, behind what waits already; all of them are `replicas`. */
  readonly startsNow: number;
  /** The posted price of its kind of device, in thousandths of each node's own. */
  readonly surgeThousandths: number;
  readonly replicas: number;
  /** What those that can run at once are expected to cost, at the price that is expected now. */
  readonly expectedCostAtto: bigint;
  /** The first of them. */
  readonly placements: readonly {
    readonly nodeId: string;
    readonly operatorId: string;
    readonly pricePerSecondAtto: bigint;
  }[];
  /** When the first replica, or the whole gang, is expected to start; absent when no node could ever host it. */
  readonly startsInMs?: { readonly p50: number; readonly p90: number };
  readonly waitingTasks: number;
  readonly nodes: number;
  /** Nodes that could host a task if they were idle. */
  readonly eligibleNodes: number;
  /** For each rule, the nodes that it excludes whatever their load. */
  readonly excluded: Readonly<Record<string, number>>;
};

const PLACEMENTS_LISTED_MAX = 20;
const REPLICAS_PLANNED_MAX = 1_000;
/** Leases whose ends are looked at to tell when there is room. */
const LEASES_MAX = 20_000;

/** A dry run: what the next tick would do if the job were queued now, and when there would be room otherwise. */
export function planJob(question: PlanJob, pool: Pool): JobPlan {
  return question.spec.bookingId === undefined ? planInPool(question, pool) : planInBooking(question, pool);
}

function planInPool({ tenantId, spec, now }: PlanJob, pool: Pool): JobPlan {
  const needs = needsOf(spec, idlePriceFactorOf(spec));
  const offers = [...pool.nodes.values()].map(({ engineOffer }) => engineOffer);
  const requests = requestsFor(spec, now, priceFactorOf(pool, spec, now));
  const { placed, clearingAtto } = pool.room.simulate(() => {
    const tick = placeInOrder(pool, now);
    const clearings = isInterruptible(spec) ? sellIdleCapacity(tick) : new Map<PricedKind, bigint>();
    tick.booked.keepUntil(occupiesUntilMs(spec, now));
    return {
      placed: place(pool, pool.engine, spec, requests),
      clearingAtto: clearings.get(kindOf(spec)) ?? 0n,
    };
  });
  const surgeThousandths = surgeOf(pool, kindOf(spec), now);
  const mostAtto = bidAtto(spec);
  const priceOf = (placement: Placement) =>
    isInterruptible(spec)
      ? auctionedPriceAtto(spec, {
          clearingAtto: clearingAtto < mostAtto ? clearingAtto : mostAtto,
          placed: placement,
          surgePermille: surgeThousandths,
        })
      : leasePriceAtto(spec, placement.priceAtto, priceFactorOf(pool, spec, now));
  const eligibleNodes = offers.filter(offer => couldHost(needs, offer)).length;
  const atIdlePrices = requestsFor(spec, now, idlePriceFactorOf(spec));
  const first = spec.gang ? atIdlePrices : atIdlePrices.slice(0, 1);
  const startsInMs = (quantile: number) => startIn(pool, { spec, first, now, quantile });
  const p50 = placed.length > 0 ? 0 : startsInMs(0.5);
  const p90 = placed.length > 0 ? 0 : startsInMs(0.9);
  return {
    startsNow: placed.length,
    surgeThousandths,
    replicas: spec.tasks.length * replicasAtFirst(spec),
    expectedCostAtto: expectedCostAtto(pool, { tenantId, spec, prices: placed.map(priceOf) }),
    placements: placed.slice(0, PLACEMENTS_LISTED_MAX).map(placement => ({
      nodeId: placement.nodeId,
      operatorId: placement.operatorId,
      pricePerSecondAtto: priceOf(placement),
    })),
    ...(p50 !== undefined && p90 !== undefined && { startsInMs: { p50, p90: Math.max(p50, p90) } }),
    waitingTasks: pool.waiting.size,
    nodes: offers.length,
    eligibleNodes,
    excluded: Object.fromEntries(countExcluded(needs, offers)),
  };
}

type Expected = {
  readonly tenantId: string;
  readonly spec: JobSpec;
  /** Of the replicas that would start now. */
  readonly prices: readonly bigint[];
};

/**
 * Each at the dearest of the prices, for as long as half of such tasks last; at the cap where none would start. Of a
 * service, for a period.
 */
function expectedCostAtto({ durations }: Pool, { tenantId, spec, prices }: Expected): bigint {
  const cap = spec.requirements.maxPricePerSecondAtto;
  const dearest = prices.length === 0 ? cap : prices.reduce((most, price) => (price > most ? price : most));
  const tasks = spec.maxParallel === 0 ? spec.tasks.length : Math.min(spec.maxParallel, spec.tasks.length);
  const replicas = tasks * replicasAtFirst(spec);
  const ms = spec.service?.periodMs ?? Math.round(durations.quantileMs(tenantId, spec, 0.5, 0));
  return BigInt(replicas) * costAtto(ms, dearest);
}

/** What the tenant booked, as if nothing else of it waited; what runs there is paid already. */
function planInBooking({ tenantId, spec, now }: PlanJob, pool: Pool): JobPlan {
  const needs = needsOf(spec, NO_SURGE);
  const booking = spec.bookingId === undefined ? undefined : pool.bookings.get(spec.bookingId);
  const own = booking?.tenantId === tenantId && endsInTime(booking, spec, now) ? booking : undefined;
  const nodeIds = new Set(own?.units.flatMap(({ home }) => (home ? [home.nodeId] : [])));
  const offers = [...nodeIds].map(nodeId => ({
    ...pool.nodes.get(nodeId)!.engineOffer,
    pricePerDeviceSecondAtto: 0n,
  }));
  const placed = own ? place(pool, roomOf(pool, own), spec, requestsFor(spec, now, NO_SURGE)) : [];
  const startsInMs = own?.isStarted ? 0 : Math.max(0, (own?.startsAt.getTime() ?? 0) - now.getTime());
  return {
    startsNow: own?.isStarted ? placed.length : 0,
    expectedCostAtto: 0n,
    surgeThousandths: surgeOf(pool, kindOf(spec), now),
    replicas: spec.tasks.length * replicasAtFirst(spec),
    placements: placed
      .slice(0, PLACEMENTS_LISTED_MAX)
      .map(({ nodeId, operatorId }) => ({ nodeId, operatorId, pricePerSecondAtto: 0n })),
    ...(placed.length > 0 && { startsInMs: { p50: startsInMs, p90: startsInMs } }),
    waitingTasks: pool.waiting.size,
    nodes: offers.length,
    eligibleNodes: offers.filter(offer => couldHost(needs, offer)).length,
    excluded: Object.fromEntries(countExcluded(needs, offers)),
  };
}

/** One request for each replica, those of one task after each other. */
function requestsFor(spec: JobSpec, now: Date, priceFactor: number): readonly TaskRequest[] {
  const requirements = needsOf(spec, priceFactor);
  const tasks = spec.maxParallel > 0 ? spec.tasks.slice(0, spec.maxParallel) : spec.tasks;
  return tasks
    .flatMap(({ taskId }) => Array.from({ length: replicasAtFirst(spec) }, () => taskId))
    .slice(0, REPLICAS_PLANNED_MAX)
    .map(taskId => ({
      ...plainRequest(taskId, requirements, now.getTime()),
      deadlineMs: spec.deadline?.getTime(),
      priority: spec.priority,
    }));
}

/** Takes room as a tick would, replicas of a task on operators that nothing relates; a gang whole or not at all. */
function place(
  { kinship }: Pool,
  engine: PlacementEngine,
  spec: JobSpec,
  requests: readonly TaskRequest[],
): readonly Placement[] {
  if (spec.gang) return placeWhole(engine, '', requests, spec.gang.topology);
  const placed: Placement[] = [];
  const operators = new Map<string, Set<string>>();
  for (const request of requests) {
    const operatorsExcluded = operators.get(request.taskId) ?? new Set<string>();
    operators.set(request.taskId, operatorsExcluded);
    const placement = engine.place({ ...request, operatorsExcluded });
    if (placement === 'NoNodeFits') {
      // The first replica of a task found no room, so that no other task will.
      if (operatorsExcluded.size === 0) break;
      continue;
    }
    if (!spec.service) kinship.addWithRelatives(placement.operatorId, operatorsExcluded);
    placed.push(placement);
  }
  return placed;
}

type Start = {
  readonly spec: JobSpec;
  readonly first: readonly TaskRequest[];
  readonly now: Date;
  readonly quantile: number;
};

/** When leases will have ended that make room, if each lasts as long as such tasks do in `quantile` of all cases. */
function startIn(pool: Pool, { spec, first, now, quantile }: Start): number | undefined {
  const ends = [...pool.leases.values()]
    .filter(lease => isFreedSomeTime(pool, lease, spec))
    .slice(0, LEASES_MAX)
    .map(lease => ({ hold: lease.hold, endsMs: endIn(pool, lease, { spec, now, quantile }) }))
    .sort((left, right) => left.endsMs - right.endsMs);
  const { engine } = pool;
  const isRoom = () => engine.simulate(() => place(pool, engine, spec, first)).length > 0 || undefined;
  return engine.simulate(() => {
    new BookedRoom(pool, now.getTime(), [engine]).keepUntil(occupiesUntilMs(spec, now));
    return earliestFit(ends, ({ hold }) => engine.release(hold), isRoom, LOOKS)?.fromMs;
  });
}

/** A replica gives its room back never, unless it is told to. */
const isFreedSomeTime = (pool: Pool, lease: Lease, spec: JobSpec): boolean =>
  jobOfLease(pool, lease).service === undefined || !isInTheWayFor(pool, lease, spec);

/** Whether its room can be had by waiting for its end only. */
const isInTheWayFor = (pool: Pool, lease: Lease, spec: JobSpec): boolean =>
  isInterruptible(spec) || !isInterruptible(jobOfLease(pool, lease).spec);

/** An interruptible lease makes room within its notice for what is not. */
function endIn(pool: Pool, lease: Lease, { spec, now, quantile }: Omit<Start, 'first'>): number {
  const job = jobOfLease(pool, lease);
  const elapsedMs = lease.startedAt ? Math.max(0, now.getTime() - lease.startedAt.getTime()) : 0;
  const leftMs = pool.durations.quantileMs(job.tenantId, job.spec, quantile, elapsedMs) - elapsedMs;
  const untilDeadlineMs = Math.max(0, lease.deadline.getTime() - now.getTime());
  const untilNoticeEndsMs = isInTheWayFor(pool, lease, spec) ? Infinity : PREEMPTION_NOTICE_MS;
  if (job.service) return untilNoticeEndsMs;
  return Math.round(Math.min(leftMs, untilDeadlineMs, untilNoticeEndsMs));
}
