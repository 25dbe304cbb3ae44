import { isDeepStrictEqual } from 'node:util';
import { accept, answer, reject, type Decider, type Decision } from '@astro/event-sourcing/decider';
import type {
  AdmitNode,
  CloseJob,
  CloseTask,
  ExplainTask,
  PoolCommand,
  PoolEvent,
  QueueReplica,
  QueueTasks,
  ScaleService,
} from '@astro/messages/scheduling';
import { flawOf } from '../job/job-limits.js';
import { leasesLostBy } from './attestations.js';
import {
  bookCapacity,
  cancelBooking,
  confirmBooking,
  dropBooking,
  planBooking,
  type BookingRejection,
} from './booking/book.js';
import { checkpointLease } from './checkpoints.js';
import { drainNotice } from './drain.js';
import { evolve } from './evolve.js';
import { explainTask } from './explanation.js';
import { addFunds, declineFunds } from './funding.js';
import { noteHoldings, type HoldingsRejection } from './holdings.js';
import { adoptPolicy, type AdoptionRejection } from './learning/adopt.js';
import { chargeLastUse } from './last-use.js';
import { placeTasks } from './place.js';
import { planJob } from './plan.js';
import { completeLease, failLease, startLease, type ReportRejection } from './reports.js';
import { waitingReplicas } from './pool-job.js';
import { renewLease, scaleByTenant } from './renewals.js';
import { noteReplicaHealth } from './replica-health.js';
import { settlementOf } from './service.js';
import { poolLimits } from './pool-limits.js';
import { relateOperator, unrelateOperator } from './spread.js';
import { poolSnapshot } from './pool-snapshot.js';
import { emptyPool, ended, leasesOfJob, type Pool } from './pool-state.js';

export type PoolRejection =
  | ReportRejection
  | AdoptionRejection
  | BookingRejection
  | 'AffiliationIsInvalid'
  | HoldingsRejection
  | 'JobExists'
  | 'JobIsInvalid'
  | 'JobNotFound'
  | 'JobHasEnded'
  | 'TaskNotFound';
type PoolDecision = Decision<PoolEvent, PoolRejection>;

/**
 * The capacity of one pool: which node may do which task, until when. The unit of consistency for capacity.
 */
export const pool: Decider<Pool, PoolCommand, PoolEvent, PoolRejection> = {
  /** A new one for each pool, because events change it in place. */
  get initialState() {
    return emptyPool();
  },

  decide({ type, data }, pool) {
    switch (type) {
      case 'AdmitNode':
        return accept(...admitNode(data, pool));
      case 'WithdrawNode':
        return pool.nodes.has(data.nodeId) ? accept({ type: 'NodeWithdrawn', data }) : accept();
      case 'RelateOperator':
        return relateOperator(data, pool);
      case 'UnrelateOperator':
        return unrelateOperator(data, pool);
      case 'QueueTasks':
        return queueTasks(data, pool);
      case 'PlaceTasks':
        return accept(...placeTasks(data, pool));
      case 'StartLease':
        return startLease(data, pool);
      case 'CompleteLease':
        return completeLease(data, pool);
      case 'CheckpointLease':
        return checkpointLease(data, pool);
      case 'FailLease':
        return failLease(data, pool);
      case 'RenewLease':
        return renewLease(data, pool);
      case 'NoteReplicaHealth':
        return noteReplicaHealth(data, pool);
      case 'NoteHoldings':
        return noteHoldings(data, pool);
      case 'ScaleService':
        return scaleByTenant(data, pool) ?? notAService(data, pool);
      case 'AddFunds':
        return addFunds(data, pool);
      case 'DeclineFunds':
        return declineFunds(data, pool);
      case 'QueueReplica':
        return queueReplica(data, pool);
      case 'CloseTask':
        return closeTask(data, pool);
      case 'CloseJob':
        return closeJob(data, pool);
      case 'PlanJob': {
        const flaw = flawOf(data.spec);
        return flaw ? reject('JobIsInvalid', flaw) : answer(planJob(data, pool));
      }
      case 'ExplainTask':
        return explainIt(data, pool);
      case 'AdoptPolicy':
        return adoptPolicy(data, pool);
      case 'BookCapacity':
        return bookCapacity(data, pool);
      case 'PlanBooking':
        return planBooking(data, pool);
      case 'ConfirmBooking':
        return confirmBooking(data, pool);
      case 'DropBooking':
        return dropBooking(data, pool);
      case 'CancelBooking':
        return cancelBooking(data, pool);
    }
  },

  evolve,

  snapshot: poolSnapshot,
};

function admitNode({ noticeUntil, ...data }: AdmitNode, pool: Pool): readonly PoolEvent[] {
  const known = pool.nodes.get(data.offer.nodeId);
  const isSame =
    known !== undefined &&
    isDeepStrictEqual([known.offer, known.attestation], [data.offer, data.attestation]);
  const revoked = leasesLostBy(data, pool);
  const gone = new Set(revoked.map(({ leaseId }) => leaseId));
  const notice = noticeUntil ? drainNotice({ ...data, noticeUntil }, pool, gone) : [];
  return isSame ? notice : [{ type: 'NodeAdmitted', data: { ...data, revoked } }, ...notice];
}

function queueTasks(data: QueueTasks, pool: Pool): PoolDecision {
  const { poolId, jobId, spec } = data;
  if (pool.endedJobs.has(jobId)) return reject('JobHasEnded');
  const known = pool.jobs.get(jobId);
  if (known) return isDeepStrictEqual(known.spec, spec) ? accept() : reject('JobExists');
  // Events and no rejections, because the job must hear of it and end.
  const settlement = spec.service && { settlement: { tenantId: data.tenantId, charges: 0 } };
  const abandoned = { poolId, jobId, revoked: [], ...settlement };
  if (pool.openTasks + spec.tasks.length > poolLimits.tasks) {
    const detail = `the pool's queue is full: it holds at most ${poolLimits.tasks} tasks`;
    return accept({ type: 'JobAbandoned', data: { ...abandoned, reason: 'no_eligible_node', detail } });
  }
  const { bookingId } = spec;
  // A tenant must not learn which bookings of others exist.
  if (bookingId !== undefined && pool.bookings.get(bookingId)?.tenantId !== data.tenantId) {
    const detail = `there is no reservation ${bookingId}, or it has ended`;
    return accept({ type: 'JobAbandoned', data: { ...abandoned, reason: 'booking_unavailable', detail } });
  }
  return accept({ type: 'TasksQueued', data });
}

/**
 * Asked for when all results of a task are in and disagree; so while a replica is on its way it is that one.
 */
function queueReplica(data: QueueReplica, pool: Pool): PoolDecision {
  const job = pool.jobs.get(data.jobId);
  if (!job) return reject(pool.endedJobs.has(data.jobId) ? 'JobHasEnded' : 'JobNotFound');
  const task = job.tasks.get(data.taskId);
  if (!task) return reject('TaskNotFound');
  // How many replicas a service has is for its load to say.
  if (job.service || task.live > 0 || waitingReplicas(task) > 0) return accept();
  return accept({ type: 'ReplicaQueued', data });
}

function notAService({ jobId }: ScaleService, pool: Pool): PoolDecision {
  return reject(pool.endedJobs.has(jobId) ? 'JobHasEnded' : 'JobNotFound');
}

function closeTask(data: CloseTask, pool: Pool): PoolDecision {
  const job = pool.jobs.get(data.jobId);
  return job?.tasks.has(data.taskId) && !job.service ? accept({ type: 'TaskClosed', data }) : accept();
}

function closeJob({ poolId, jobId, at }: CloseJob, pool: Pool): PoolDecision {
  const job = pool.jobs.get(jobId);
  if (!job) return accept();
  const leases = leasesOfJob(pool, job);
  const { events, charged } = chargeLastUse(poolId, job, at ? leases : [], at ?? job.movedAt);
  const data = { poolId, jobId, revoked: leases.map(ended), ...settlementOf(job, charged) };
  return accept(...events, { type: 'JobClosed', data });
}

function explainIt(data: ExplainTask, pool: Pool): PoolDecision {
  const job = pool.jobs.get(data.jobId);
  // A tenant must not learn which jobs of others exist.
  if (job?.tenantId !== data.tenantId) return reject('JobNotFound');
  const [first] = job.tasks.values();
  const task = data.taskId === '' ? first : job.tasks.get(data.taskId);
  return task ? answer(explainTask(task, data, pool)) : reject('TaskNotFound');
}
