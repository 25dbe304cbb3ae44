import type {
  ExpiredLease,
  Grant,
  LeaseCheckpointed,
  LeaseCompleted,
  LeaseFailed,
  LeaseRenewed,
  LeaseStarted,
  LeasesGranted,
  LeasesPreempted,
  PoolEvent,
  TasksQueued,
} from '@astro/messages/scheduling';
import { replicasAtFirst } from '../job/verification-limits.js';
import { evolveBookings, type BookingEvent } from './booking/evolve-bookings.js';
import { keepCheckpoint } from './checkpoints.js';
import { endLease, expire, moved, replaceLater, revokeAll, takeBack } from './end-lease.js';
import { admit, expireAttestations, withdraw } from './evolve-nodes.js';
import { countCharges, release, renew, requeue, scale } from './evolve-service.js';
import { holdOf, unitsOnNode } from './fleet.js';
import { add, beginPaidFor, newFunding, requested, runOut, spend } from './funding.js';
import { loseHoldings, takeHoldings } from './holdings.js';
import { install } from './learning/adopt.js';
import { countArrival } from './learning/mix.js';
import { forgetOldest, jobOf, leaseOf, nodeOf, taskOf } from './lookups.js';
import { isInterruptible, postedBy } from './market.js';
import { needsKey, NO_SURGE } from './needs.js';
import type { PoolJob, PoolTask } from './pool-job.js';
import { poolLimits } from './pool-limits.js';
import type { Lease, Pool } from './pool-state.js';
import { nothingOf } from './booking/booked-room.js';
import { changeHealth } from './replica-health.js';
import { newService } from './service.js';
import { changeKinship, waitApart } from './spread.js';
import { NOWHERE } from './waiting-tasks.js';

/** Jobs between two looks at which tenants may be forgotten. */
const TENANTS_REVIEWED_EVERY = 1_000;

/** Changes the pool in place and gives it back: a copy for each event would cost more than all else. */
export function evolve(pool: Pool, event: PoolEvent): Pool {
  apply(pool, event);
  return pool;
}

function apply(pool: Pool, { type, data }: PoolEvent): void {
  switch (type) {
    case 'NodeAdmitted':
      return admit(pool, data);
    case 'AttestationsExpired':
      return expireAttestations(pool, data);
    case 'NodeWithdrawn':
      return withdraw(pool, data);
    case 'OperatorRelated':
    case 'OperatorUnrelated':
      return changeKinship(pool, { type, data });
    case 'TasksQueued':
      return queueJob(pool, data);
    case 'LeasesGranted':
      return grantLeases(pool, data);
    case 'LeaseStarted':
      return startLease(pool, data);
    case 'LeaseCheckpointed':
      return checkpointed(pool, data);
    case 'LeaseCompleted':
      return completeLease(pool, data);
    case 'LeaseFailed':
      return failLease(pool, data);
    case 'LeasesExpired':
      return data.leases.forEach(lease => expire(pool, lease));
    case 'LeaseRenewed':
      return renewLease(pool, data);
    case 'ReplicasMetered':
      return countCharges(jobOf(pool, data.jobId), data);
    case 'ReplicaBecameHealthy':
    case 'ReplicaBecameUnhealthy':
      return changeHealth(leaseOf(pool, data.leaseId), type === 'ReplicaBecameHealthy');
    case 'HoldingsNoted':
      return takeHoldings(pool, data);
    case 'HoldingsLost':
      return loseHoldings(pool, data);
    case 'ServiceScaled':
      revokeAll(pool, data.revoked);
      return scale(pool, jobOf(pool, data.jobId), data);
    case 'ReplicasRequeued':
      return requeue(pool, jobOf(pool, data.jobId), data);
    case 'LeasesPreempted':
      return giveNotices(pool, data);
    case 'LeasesRevoked':
      return endNotices(pool, data.leases);
    case 'ReplicaQueued':
      return queueReplica(pool, taskOf(pool, data.jobId, data.taskId), data.at);
    case 'TaskClosed':
      return closeTask(pool, taskOf(pool, data.jobId, data.taskId), data.costAtto);
    case 'FundsRequested':
      return requested(jobOf(pool, data.jobId), data.number);
    case 'FundsAdded':
      return add(pool, jobOf(pool, data.jobId), data);
    case 'FundsRunOut':
      return runOut(jobOf(pool, data.jobId), data);
    case 'JobClosed':
    case 'JobAbandoned':
      revokeAll(pool, data.revoked);
      return leave(pool, data.jobId);
    case 'PolicyAdopted':
      return install(pool, data.policy);
    case 'CapacityBooked':
    case 'BookingConfirmed':
    case 'BookingStarted':
    case 'BookingMoved':
    case 'BookingMetered':
    case 'BookingEnded':
      evolveBookings(pool, { type, data } as BookingEvent);
  }
}

function grantLeases(pool: Pool, data: LeasesGranted): void {
  if (data.decidedAt) pool.shares.passed(data.decidedAt);
  pool.posted = postedBy(data, pool.posted);
  for (const grant of data.grants) grantLease(pool, grant, data.decidedAt);
}

function giveNotices(pool: Pool, { decidedAt, leases, noticeUntil }: LeasesPreempted): void {
  pool.shares.passed(decidedAt);
  for (const { leaseId } of leases) giveNotice(pool, leaseOf(pool, leaseId), noticeUntil);
}

function startLease(pool: Pool, { jobId, leaseId, startedAt }: LeaseStarted): void {
  pool.shares.passed(startedAt);
  leaseOf(pool, leaseId).startedAt = startedAt;
  moved(pool, jobOf(pool, jobId), startedAt);
}

function checkpointed(pool: Pool, data: LeaseCheckpointed): void {
  pool.shares.passed(data.checkpointedAt);
  moved(pool, jobOf(pool, data.jobId), data.checkpointedAt);
  keepCheckpoint(leaseOf(pool, data.leaseId), data);
}

function completeLease(pool: Pool, { jobId, leaseId, result }: LeaseCompleted): void {
  const { tenantId, spec } = jobOf(pool, jobId);
  pool.durations.learn(tenantId, spec, result.meteredMs);
  endLease(pool, leaseId, 'completed');
}

function failLease(pool: Pool, { leaseId, jobId, taskId, failedAt }: LeaseFailed): void {
  waitApart(jobOf(pool, jobId).tasks.get(taskId), failedAt);
  endLease(pool, leaseId, 'failed');
  if (failedAt) replaceLater(pool, jobId, failedAt);
}

function queueReplica(pool: Pool, task: PoolTask, at: Date | undefined): void {
  waitApart(task, at);
  task.replicasWanted += 1;
  pool.waiting.refresh(task);
}

function queueJob(pool: Pool, { jobId, tenantId, spec, queuedAt, fundedAtto }: TasksQueued): void {
  pool.jobsQueued += 1;
  const job: PoolJob = {
    jobId,
    tenantId,
    spec,
    queuedAt,
    number: pool.jobsQueued,
    needsKey: needsKey(spec),
    movedAt: queuedAt,
    tasks: new Map(),
    heldBack: [],
    leases: new Set(),
    service: spec.service && newService(spec.service, queuedAt),
    funding: newFunding(spec, fundedAtto),
  };
  countArrival(
    pool.mix,
    pool.needs.of(job.needsKey, spec, NO_SURGE),
    spec.tasks.length * replicasAtFirst(spec),
  );
  pool.shares.passed(queuedAt);
  pool.jobs.set(jobId, job);
  pool.byMove.add(job);
  pool.openTasks += spec.tasks.length;
  for (const [index, task] of spec.tasks.entries()) {
    const waiting: PoolTask = {
      job,
      spec: task,
      index,
      replicasWanted: replicasAtFirst(spec),
      attempts: 0,
      preemptions: 0,
      live: 0,
      completed: 0,
      operators: new Set(),
      apartSince: undefined,
      failedOn: new Set(),
      kept: [],
      isOpen: true,
      isBegun: !job.funding && (spec.maxParallel === 0 || index < spec.maxParallel),
      waitsIn: NOWHERE,
      waitingSince: 0,
    };
    job.tasks.set(task.taskId, waiting);
    if (!waiting.isBegun) job.heldBack.push(waiting);
    pool.waiting.refresh(waiting);
  }
  // The next to begin is the last, where it is cheap to take.
  job.heldBack.reverse();
  if (!job.funding) return;
  pool.stepwise.add(job);
  beginPaidFor(pool, job, job.funding);
}

function grantLease(pool: Pool, grant: Grant, at: Date | undefined): void {
  const node = nodeOf(pool, grant.nodeId);
  const task = taskOf(pool, grant.jobId, grant.taskId);
  const { spec } = task.job;
  const needs = pool.needs.of(task.job.needsKey, spec, NO_SURGE);
  const units = grant.units.length > 0 ? grant.units : unitsOnNode(pool.engine, grant.nodeId, needs);
  const { bookingId } = spec;
  const hold =
    bookingId === undefined ? holdOf(pool.engine, grant.nodeId, needs, units) : nothingOf(grant.nodeId);
  const lease: Lease = {
    ...grant,
    units,
    hold,
    startedAt: undefined,
    isPreempted: false,
    renewed: undefined,
    checkpoint: grant.checkpoint,
    checkpointedAt: undefined,
    health: undefined,
    bookingId,
  };
  pool.leases.set(grant.leaseId, lease);
  pool.byDeadline.add(lease);
  if (bookingId === undefined) takeRoom(pool, task.job, lease);
  task.job.leases.add(grant.leaseId);
  node.leases.add(grant.leaseId);
  pool.nextFencingToken = grant.fencingToken + 1;
  task.attempts += 1;
  task.live += 1;
  // Nobody compares what replicas of a service make, so that one operator may have several.
  if (!task.job.service) task.operators.add(grant.operatorId);
  waitApart(task, at);
  pool.waiting.refresh(task);
}

/** In the fleets, and in what is counted of their use. What is in a booking was counted with it. */
function takeRoom(pool: Pool, { tenantId, spec }: PoolJob, lease: Lease): void {
  pool.engine.take(lease.hold);
  pool.use.hold(spec);
  if (isInterruptible(spec)) pool.interruptible.add(lease);
  pool.room.granted(lease, isInterruptible(spec));
  pool.shares.hold(tenantId, spec);
}

/** It goes on until then; that is its deadline from now on. */
function giveNotice(pool: Pool, lease: Lease, until: Date): void {
  pool.byDeadline.remove(lease);
  lease.deadline = until;
  lease.isPreempted = true;
  pool.byDeadline.add(lease);
}

function endNotices(pool: Pool, leases: readonly ExpiredLease[]): void {
  for (const { leaseId, jobId } of leases) moved(pool, jobOf(pool, jobId), leaseOf(pool, leaseId).deadline);
  takeBack(pool, leases);
}

function renewLease(pool: Pool, data: LeaseRenewed): void {
  const job = jobOf(pool, data.jobId);
  pool.shares.passed(data.renewedAt);
  moved(pool, job, data.renewedAt);
  renew(pool, job, leaseOf(pool, data.leaseId), data);
}

function closeTask(pool: Pool, task: PoolTask, costAtto?: bigint): void {
  task.isOpen = false;
  pool.waiting.refresh(task);
  pool.openTasks -= 1;
  task.job.tasks.delete(task.spec.taskId);
  const { funding } = task.job;
  if (funding) {
    spend(task, funding, costAtto);
    beginPaidFor(pool, task.job, funding);
  } else if (task.isBegun) beginNext(pool, task.job);
}

/** Of an array the next task begins when one has ended. */
function beginNext(pool: Pool, { heldBack }: PoolJob): void {
  let next = heldBack.pop();
  while (next && !next.isOpen) next = heldBack.pop();
  if (!next) return;
  next.isBegun = true;
  pool.waiting.refresh(next);
}

function leave(pool: Pool, jobId: string): void {
  const job = pool.jobs.get(jobId);
  pool.endedJobs.add(jobId);
  forgetOldest(pool.endedJobs, poolLimits.endedJobs);
  // A job that the pool had no room for was never in it.
  if (!job) return;
  release(pool, job);
  for (const task of job.tasks.values()) closeTask(pool, task);
  pool.byMove.remove(job);
  pool.stepwise.delete(job);
  pool.jobs.delete(jobId);
  if (pool.jobsQueued % TENANTS_REVIEWED_EVERY === 0) pool.shares.forgetIdle();
}
