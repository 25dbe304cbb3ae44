import { accept } from '@astro/event-sourcing/decider';
import { taskCostAtto } from '@astro/matching/cost';
import type {
  AddFunds,
  DeclineFunds,
  FundsAdded,
  FundsRunOut,
  JobFailure,
  JobSpec,
  PoolEvent,
} from '@astro/messages/scheduling';
import type { PoolFunding } from './pool-funding.js';
import type { PoolJob, PoolTask } from './pool-job.js';
import { poolLimits } from './pool-limits.js';
import type { Pool } from './pool-state.js';
import type { ReportDecision } from './reports.js';

export function newFunding({ funding }: JobSpec, fundedAtto: bigint | undefined): PoolFunding | undefined {
  if (funding?.mode !== 'stepwise') return undefined;
  return {
    fundedAtto: fundedAtto ?? 0n,
    spentAtto: 0n,
    committedAtto: 0n,
    begun: 0,
    waiting: 0,
    requests: 0,
    lastRequest: 'granted',
    missingAtto: 0n,
    stopsAt: undefined,
  };
}

/** The most that the task can cost: what is set aside before any replica of it is placed. */
const mostOf = ({ job }: PoolTask): bigint => taskCostAtto(job.spec);

const leftAtto = ({ fundedAtto, spentAtto, committedAtto }: PoolFunding): bigint =>
  fundedAtto - spentAtto - committedAtto;

/** How many more tasks may be under way, as far as money does not matter. */
const placesLeft = ({ spec, heldBack }: PoolJob, { begun }: PoolFunding): number =>
  Math.min(heldBack.length, spec.maxParallel === 0 ? Infinity : spec.maxParallel - begun);

/** Changes the pool in place: as many tasks begin as may be under way and are paid for, whatever they come to cost. */
export function beginPaidFor(pool: Pool, job: PoolJob, funding: PoolFunding): void {
  while (placesLeft(job, funding) > 0) {
    const next = job.heldBack.at(-1)!;
    if (next.isOpen && mostOf(next) > leftAtto(funding)) return;
    job.heldBack.pop();
    if (!next.isOpen) continue;
    next.isBegun = true;
    funding.begun += 1;
    funding.committedAtto += mostOf(next);
    pool.waiting.refresh(next);
  }
}

/** @param costAtto the most that it could cost, where nobody said what it did */
export function spend(task: PoolTask, funding: PoolFunding, costAtto = mostOf(task)): void {
  if (!task.isBegun) return;
  funding.begun -= 1;
  funding.committedAtto -= mostOf(task);
  funding.spentAtto += costAtto;
}

/**
 * Jobs of which more could run but for money: asked for is what so many tasks can cost as could begin, up to a limit.
 * Not while one that is paid for waits for a node: what finds no room needs no money.
 */
export function fundsRequested(pool: Pool, poolId: string): readonly PoolEvent[] {
  const requested: PoolEvent[] = [];
  for (const job of pool.stepwise) {
    if (requested.length === poolLimits.fundsRequestedOfTick) break;
    const { jobId, tenantId, funding } = job;
    if (!funding || !wantsFunds(job)) continue;
    const number = funding.requests + 1;
    requested.push({
      type: 'FundsRequested',
      data: { poolId, jobId, tenantId, number, ...missing(job, funding) },
    });
  }
  return requested;
}

export const wantsFunds = (job: PoolJob): boolean =>
  job.funding !== undefined &&
  job.funding.lastRequest === 'granted' &&
  job.funding.waiting === 0 &&
  placesLeft(job, job.funding) > 0;

function missing(job: PoolJob, funding: PoolFunding): { amountAtto: bigint; leastAtto: bigint } {
  const places = Math.min(placesLeft(job, funding), poolLimits.tasksOfExtension);
  const next = job.heldBack.slice(-places);
  const amountAtto = next.reduce((sum, task) => sum + mostOf(task), 0n) - leftAtto(funding);
  return { amountAtto, leastAtto: mostOf(next.at(-1)!) - leftAtto(funding) };
}

/** Nothing to do once it was added, or the job has ended. */
export function addFunds({ poolId, jobId, number, amountAtto }: AddFunds, pool: Pool): ReportDecision {
  const funding = pool.jobs.get(jobId)?.funding;
  if (!funding || number !== funding.requests || funding.lastRequest === 'granted') return accept();
  const data = { poolId, jobId, number, amountAtto, endsShortage: funding.lastRequest === 'declined' };
  return accept({ type: 'FundsAdded', data });
}

/** Nothing to do once there was money for it after all. */
export function declineFunds(
  { poolId, jobId, number, requiredAtto, availableAtto, at, budgetId }: DeclineFunds,
  pool: Pool,
): ReportDecision {
  const job = pool.jobs.get(jobId);
  if (!job?.funding || number !== job.funding.requests || job.funding.lastRequest !== 'open') return accept();
  const stopsAt = endOfNotice(job.spec, at);
  const missing = { missingAtto: requiredAtto - availableAtto, availableAtto };
  const why = { ...(budgetId !== undefined && { budgetId }), ...(stopsAt && { stopsAt }) };
  return accept({ type: 'FundsRunOut', data: { poolId, jobId, number, ...missing, ...why } });
}

/** Undefined for a job that waits without end. */
export const endOfNotice = ({ funding }: JobSpec, from: Date): Date | undefined =>
  funding?.onShortage === 'pause' ? undefined : new Date(from.getTime() + (funding?.noticeMs ?? 0));

/** What the events of a job's money change in the pool. */
export function requested({ funding }: PoolJob, number: number): void {
  if (!funding) return;
  funding.requests = number;
  funding.lastRequest = 'open';
}

export function add(pool: Pool, job: PoolJob, { amountAtto }: FundsAdded): void {
  const { funding } = job;
  if (!funding) return;
  funding.fundedAtto += amountAtto;
  funding.lastRequest = 'granted';
  funding.missingAtto = 0n;
  funding.budgetId = undefined;
  funding.stopsAt = undefined;
  beginPaidFor(pool, job, funding);
}

export function runOut({ funding, service }: PoolJob, { missingAtto, budgetId, stopsAt }: FundsRunOut): void {
  if (service) service.isUnderNotice = true;
  if (!funding) return;
  funding.lastRequest = 'declined';
  funding.missingAtto = missingAtto;
  funding.budgetId = budgetId;
  funding.stopsAt = stopsAt;
}

type OutOfFunds = { readonly job: PoolJob; readonly reason: JobFailure; readonly detail: string };

/**
 * Jobs whose notice is over. What is under way was paid for, and is finished first: its leases, and what of it waits
 * for a verdict.
 */
export function* jobsOutOfFunds(pool: Pool, now: Date): Generator<OutOfFunds> {
  for (const job of pool.stepwise) {
    const { spec, tasks, funding } = job;
    if (!funding?.stopsAt || funding.stopsAt.getTime() > now.getTime() || isUnderWay(job)) continue;
    const { spentAtto, missingAtto, budgetId } = funding;
    const done = `${spec.tasks.length - tasks.size} of ${spec.tasks.length} tasks are done and cost ${spentAtto} atto`;
    const detail = `${done}; ${missingAtto} atto were missing for another`;
    if (budgetId === undefined) yield { job, reason: 'insufficient_funds', detail };
    else yield { job, reason: 'budget_exceeded', detail: `${detail} within budget ${budgetId}` };
  }
}

const isUnderWay = ({ leases, tasks }: PoolJob): boolean =>
  leases.size > 0 || [...tasks.values()].some(({ completed }) => completed > 0);

/** When the next notice is over; undefined when none is given. */
export function noticeEndsAt(pool: Pool, now: Date): Date | undefined {
  let next: Date | undefined;
  for (const { funding } of pool.stepwise) {
    const stopsAt = funding?.stopsAt;
    if (stopsAt && stopsAt > now && (!next || stopsAt < next)) next = stopsAt;
  }
  return next;
}

/** Whether a tick has anything to do about a job's money. */
export function hasFundsToSettle(pool: Pool, now: Date): boolean {
  for (const job of pool.stepwise) {
    if (wantsFunds(job)) return true;
    if (job.funding?.stopsAt && job.funding.stopsAt.getTime() <= now.getTime()) return true;
  }
  return false;
}
