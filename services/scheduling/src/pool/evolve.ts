import type { PlacementEngine } from '@astro/matching/engine/engine';
import type { Hold } from '@astro/matching/engine/hold';
import type { NodeOffer } from '@astro/matching/engine/offer';
import type {
  ExpiredLease,
  Grant,
  LeaseRenewed,
  NodeAdmitted,
  PoolEvent,
  TasksQueued,
} from '@astro/messages/scheduling';
import { forgetAttestation } from './attestations.js';
import { engineOfferOf, holdOf, unitsOnNode } from './fleet.js';
import { holdReplicas, release, renew, requeue, scale } from './evolve-service.js';
import { isInterruptible, postedBy } from './market.js';
import { install } from './learning/adopt.js';
import { countArrival } from './learning/mix.js';
import { needsKey, NO_SURGE } from './needs.js';
import {
  countLease,
  newRecord,
  noteDatasets,
  recordLimits,
  reliabilityOf,
  type NodeRecord,
} from './node-record.js';
import type { PoolJob, PoolTask } from './pool-job.js';
import { newService } from './service.js';
import { poolLimits } from './pool-limits.js';
import type { Lease, LeaseEnd, Pool, PoolNode } from './pool-state.js';
import { NOWHERE } from './waiting-tasks.js';

/** Jobs between two looks at which tenants may be forgotten. */
const TENANTS_REVIEWED_EVERY = 1_000;

/** Changes the pool in place and gives it back: a copy for each event would cost more than all else. */
export function evolve(pool: Pool, { type, data }: PoolEvent): Pool {
  switch (type) {
    case 'NodeAdmitted':
      takeBack(pool, data.revoked);
      admit(pool, data);
      return pool;
    case 'AttestationsExpired':
      pool.shares.passed(data.expiredAt);
      takeBack(pool, data.revoked);
      for (const nodeId of data.nodeIds) forgetAttestation(pool, nodeOf(pool, nodeId));
      return pool;
    case 'NodeWithdrawn':
      withdraw(pool, data.nodeId);
      return pool;
    case 'TasksQueued':
      queueJob(pool, data);
      return pool;
    case 'LeasesGranted':
      if (data.decidedAt) pool.shares.passed(data.decidedAt);
      pool.posted = postedBy(data, pool.posted);
      for (const grant of data.grants) grantLease(pool, grant);
      return pool;
    case 'LeaseStarted':
      pool.shares.passed(data.startedAt);
      leaseOf(pool, data.leaseId).startedAt = data.startedAt;
      moved(pool, jobOf(pool, data.jobId), data.startedAt);
      return pool;
    case 'LeaseCompleted': {
      const { tenantId, spec } = jobOf(pool, data.jobId);
      pool.durations.learn(tenantId, spec, data.result.meteredMs);
      endLease(pool, data.leaseId, 'completed');
      return pool;
    }
    case 'LeaseFailed':
      endLease(pool, data.leaseId, 'failed');
      if (data.failedAt) replaceLater(pool, data.jobId, data.failedAt);
      return pool;
    case 'LeasesExpired':
      for (const lease of data.leases) expire(pool, lease);
      return pool;
    case 'LeaseRenewed':
      renewLease(pool, data);
      return pool;
    case 'ServiceScaled':
      revokeAll(pool, data.revoked);
      scale(pool, jobOf(pool, data.jobId), data);
      return pool;
    case 'ReplicasRequeued':
      requeue(pool, jobOf(pool, data.jobId), data);
      return pool;
    case 'LeasesPreempted':
      pool.shares.passed(data.decidedAt);
      for (const { leaseId } of data.leases) giveNotice(pool, leaseOf(pool, leaseId), data.noticeUntil);
      return pool;
    case 'LeasesRevoked':
      for (const { leaseId, jobId } of data.leases) {
        moved(pool, jobOf(pool, jobId), leaseOf(pool, leaseId).deadline);
      }
      takeBack(pool, data.leases);
      return pool;
    case 'ReplicaQueued': {
      const task = taskOf(pool, data.jobId, data.taskId);
      task.replicasWanted += 1;
      pool.waiting.refresh(task);
      return pool;
    }
    case 'TaskClosed':
      closeTask(pool, taskOf(pool, data.jobId, data.taskId));
      return pool;
    case 'JobClosed':
    case 'JobAbandoned':
      revokeAll(pool, data.revoked);
      leave(pool, data.jobId);
      return pool;
    case 'PolicyAdopted':
      install(pool, data.policy);
      return pool;
  }
}

function admit(pool: Pool, { offer, attestation }: NodeAdmitted): void {
  const { nodeId } = offer;
  const known = pool.nodes.get(nodeId);
  const engineOffer = engineOfferOf(offer, recordOf(pool, nodeId), attestation);
  if (known) pool.shares.withdraw(known.offer.inventory);
  if (known) pool.use.withdraw(known.offer.inventory);
  pool.shares.offer(offer.inventory);
  pool.use.offer(offer.inventory);
  if (known) readmit(pool, known, engineOffer);
  else pool.engine.addNode(engineOffer);
  const leases = known?.leases ?? new Set<string>();
  const endedLeases = known?.endedLeases ?? new Map<string, LeaseEnd>();
  if (known?.attestation) pool.byAttestation.remove(known);
  const node: PoolNode = { offer, engineOffer, attestation, leases, endedLeases };
  pool.nodes.set(nodeId, node);
  if (attestation) pool.byAttestation.add(node);
  pool.nodeChanges += 1;
}

function withdraw(pool: Pool, nodeId: string): void {
  const node = nodeOf(pool, nodeId);
  const { offer, leases } = node;
  if (node.attestation) pool.byAttestation.remove(node);
  pool.shares.withdraw(offer.inventory);
  pool.use.withdraw(offer.inventory);
  for (const leaseId of leases) endLease(pool, leaseId, 'revoked');
  pool.nodes.delete(nodeId);
  pool.engine.removeNode(nodeId);
  pool.nodeChanges += 1;
  pool.nodesLost += 1;
}

/**
 * A changed offer keeps the live leases. Where devices that are held have changed, the node comes anew and its
 * leases hold what they still can of it: all, or their CPU and memory, or nothing.
 */
function readmit({ engine, leases }: Pool, node: PoolNode, engineOffer: NodeOffer): void {
  if (engine.updateNode(engineOffer) === 'updated') return;
  engine.removeNode(engineOffer.nodeId);
  engine.addNode(engineOffer);
  for (const leaseId of node.leases) {
    const lease = existing(leases, leaseId, 'live lease');
    const without = { ...lease.hold, units: [] };
    const nothing = { ...without, cpuMillis: 0, memoryMib: 0, diskMib: 0, bandwidthMbps: 0 };
    lease.hold = [lease.hold, without, nothing].find(hold => canTake(engine, hold)) ?? nothing;
    engine.take(lease.hold);
  }
}

function canTake(engine: PlacementEngine, hold: Hold): boolean {
  try {
    return engine.simulate(() => engine.take(hold)) === 'taken';
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

function recordOf({ records }: Pool, nodeId: string): NodeRecord {
  const known = records.get(nodeId);
  if (known) return known;
  const record = newRecord();
  records.set(nodeId, record);
  forgetOldest(records, recordLimits.nodes);
  return record;
}

function queueJob(pool: Pool, { jobId, tenantId, spec, queuedAt }: TasksQueued): void {
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
  };
  countArrival(pool.mix, pool.needs.of(job.needsKey, spec, NO_SURGE), spec.tasks.length * spec.quorum);
  pool.shares.passed(queuedAt);
  pool.jobs.set(jobId, job);
  pool.byMove.add(job);
  pool.openTasks += spec.tasks.length;
  for (const [index, task] of spec.tasks.entries()) {
    const waiting: PoolTask = {
      job,
      spec: task,
      index,
      replicasWanted: spec.service?.replicasMin ?? spec.quorum,
      attempts: 0,
      preemptions: 0,
      live: 0,
      completed: 0,
      operators: new Set(),
      failedOn: new Set(),
      isOpen: true,
      isBegun: spec.maxParallel === 0 || index < spec.maxParallel,
      waitsIn: NOWHERE,
      waitingSince: 0,
    };
    job.tasks.set(task.taskId, waiting);
    if (!waiting.isBegun) job.heldBack.push(waiting);
    pool.waiting.refresh(waiting);
  }
  // The next to begin is the last, where it is cheap to take.
  job.heldBack.reverse();
}

function grantLease(pool: Pool, grant: Grant): void {
  const node = nodeOf(pool, grant.nodeId);
  const task = taskOf(pool, grant.jobId, grant.taskId);
  const needs = pool.needs.of(task.job.needsKey, task.job.spec, NO_SURGE);
  const units = grant.units.length > 0 ? grant.units : unitsOnNode(pool.engine, grant.nodeId, needs);
  const hold = holdOf(pool.engine, grant.nodeId, needs, units);
  pool.engine.take(hold);
  const lease: Lease = {
    ...grant,
    units,
    hold,
    startedAt: undefined,
    isPreempted: false,
    renewed: undefined,
  };
  pool.leases.set(grant.leaseId, lease);
  pool.byDeadline.add(lease);
  pool.use.hold(task.job.spec);
  if (isInterruptible(task.job.spec)) pool.interruptible.add(lease);
  pool.shares.hold(task.job.tenantId, task.job.spec);
  task.job.leases.add(grant.leaseId);
  node.leases.add(grant.leaseId);
  pool.nextFencingToken = grant.fencingToken + 1;
  task.attempts += 1;
  task.live += 1;
  // Nobody compares what replicas of a service make, so that one operator may have several.
  if (!task.job.service) task.operators.add(grant.operatorId);
  pool.waiting.refresh(task);
}

/** It goes on until then; that is its deadline from now on. */
function giveNotice(pool: Pool, lease: Lease, until: Date): void {
  pool.byDeadline.remove(lease);
  lease.deadline = until;
  lease.isPreempted = true;
  pool.byDeadline.add(lease);
}

/** Nobody failed: it counts neither as an attempt nor against the node. */
function takeBack(pool: Pool, leases: readonly ExpiredLease[]): void {
  for (const { leaseId, jobId, taskId } of leases) {
    const task = jobOf(pool, jobId).tasks.get(taskId);
    if (task) task.preemptions += 1;
    endLease(pool, leaseId, 'revoked');
  }
}

function endLease(pool: Pool, leaseId: string, end: LeaseEnd): void {
  const lease = leaseOf(pool, leaseId);
  const { nodeId, jobId, taskId, operatorId, hold } = lease;
  pool.leases.delete(leaseId);
  pool.byDeadline.remove(lease);
  pool.interruptible.delete(lease);
  const job = jobOf(pool, jobId);
  job.leases.delete(leaseId);
  pool.use.giveBack(job.spec);
  pool.shares.giveBack(job.tenantId, job.spec);

  const node = nodeOf(pool, nodeId);
  pool.engine.release(hold);
  node.leases.delete(leaseId);
  node.endedLeases.set(leaseId, end);
  forgetOldest(node.endedLeases, poolLimits.endedLeasesOfNode);

  judge(pool, node, lease, end);
  // A closed task has nothing more to count: a lease of it that was still live just gives its capacity back.
  const task = job.tasks.get(taskId);
  if (!task) return;
  task.live -= 1;
  if (end === 'completed') task.completed += 1;
  else task.operators.delete(operatorId);
  // A node that was withdrawn has not failed the task: when it comes back it may be given it again.
  if (end === 'failed' || end === 'expired') task.failedOn.add(nodeId);
  pool.waiting.refresh(task);
}

function expire(pool: Pool, { leaseId, jobId }: ExpiredLease): void {
  const { deadline } = leaseOf(pool, leaseId);
  moved(pool, jobOf(pool, jobId), deadline);
  endLease(pool, leaseId, 'expired');
  replaceLater(pool, jobId, deadline);
}

function renewLease(pool: Pool, data: LeaseRenewed): void {
  const job = jobOf(pool, data.jobId);
  pool.shares.passed(data.renewedAt);
  moved(pool, job, data.renewedAt);
  renew(pool, job, leaseOf(pool, data.leaseId), data);
}

function revokeAll(pool: Pool, leases: readonly ExpiredLease[]): void {
  for (const { leaseId } of leases) endLease(pool, leaseId, 'revoked');
}

/** A task waits for another node at once, a replica of a service for a while. */
function replaceLater(pool: Pool, jobId: string, from: Date): void {
  const job = jobOf(pool, jobId);
  if (job.service) holdReplicas(pool, job, from);
}

/** What the end of a lease says about its node. One that was taken from it says nothing. */
function judge(pool: Pool, node: PoolNode, { jobId, taskId, nodeId }: Lease, end: LeaseEnd): void {
  if (end === 'revoked') return;
  const record = recordOf(pool, nodeId);
  countLease(record, end === 'completed');
  const { spec, tasks } = jobOf(pool, jobId);
  const inputs = tasks.get(taskId)?.spec.inputs ?? [];
  const hasNew =
    end === 'completed' && noteDatasets(record, [spec.program.cid, ...inputs.map(({ cid }) => cid)]);
  const before = node.engineOffer;
  if (!hasNew && reliabilityOf(record) === before.reliability) return;
  node.engineOffer = engineOfferOf(node.offer, record, node.attestation);
  pool.engine.updateNode(node.engineOffer);
  if (node.engineOffer.reliability !== before.reliability) pool.nodeChanges += 1;
}

function moved(pool: Pool, job: PoolJob, at: Date): void {
  if (at.getTime() <= job.movedAt.getTime()) return;
  pool.byMove.remove(job);
  job.movedAt = at;
  pool.byMove.add(job);
}

function closeTask(pool: Pool, task: PoolTask): void {
  task.isOpen = false;
  pool.waiting.refresh(task);
  pool.openTasks -= 1;
  task.job.tasks.delete(task.spec.taskId);
  if (task.isBegun) beginNext(pool, task.job);
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
  pool.jobs.delete(jobId);
  if (pool.jobsQueued % TENANTS_REVIEWED_EVERY === 0) pool.shares.forgetIdle();
}

function taskOf(pool: Pool, jobId: string, taskId: string): PoolTask {
  return existing(jobOf(pool, jobId).tasks, taskId, `open task of job ${jobId}`);
}
const nodeOf = (pool: Pool, nodeId: string) => existing(pool.nodes, nodeId, 'node');
const jobOf = (pool: Pool, jobId: string) => existing(pool.jobs, jobId, 'job');
const leaseOf = (pool: Pool, leaseId: string) => existing(pool.leases, leaseId, 'live lease');

function existing<Value>(map: ReadonlyMap<string, Value>, id: string, what: string): Value {
  const value = map.get(id);
  if (value === undefined) throw new Error(`the pool has no ${what} ${id}`);
  return value;
}

/** Sets and maps keep the order in which their entries came. */
function forgetOldest(
  entries: { readonly size: number; keys(): Iterable<string>; delete(key: string): boolean },
  limit: number,
): void {
  for (const oldest of entries.keys()) {
    if (entries.size <= limit) return;
    entries.delete(oldest);
  }
}
