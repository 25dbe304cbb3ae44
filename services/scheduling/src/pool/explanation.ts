import { explain, type ExplainedCandidate } from '@astro/matching/engine/explain';
import type { ExplainTask } from '@astro/messages/scheduling';
import { policyNameOf } from './learning/adopt.js';
import type { PoolTask } from './pool-job.js';
import { waitingReplicas } from './pool-job.js';
import type { Lease, Pool } from './pool-state.js';
import { BookedRoom } from './booking/booked-room.js';
import { openBookingOf, roomOf } from './booking/room-of-booking.js';
import { requestFor } from './request.js';
import { spreadExplained, type SpreadExplanation } from './spread-explanation.js';
import { tiesKeptOf } from './spread.js';
import { occupiesUntilMs } from './tick.js';

/** Why a task is where it is, or nowhere. Every node counts under `filters`; the lists are bounded. */
export type TaskExplanation = {
  readonly taskId: string;
  readonly waitingReplicas: number;
  /** Where it is at work now. */
  readonly leases: readonly {
    readonly leaseId: string;
    readonly nodeId: string;
    readonly pricePerSecondAtto: bigint;
  }[];
  /** Nodes that failed the task, and operators that have or had it: neither get it again. */
  readonly nodesExcluded: readonly string[];
  readonly operatorsExcluded: readonly string[];
  /** Present where what relates operators keeps some of them from it. */
  readonly spread?: SpreadExplanation;
  readonly policy: string;
  readonly weightsVersion: number;
  readonly nodes: number;
  /** Nodes that pass every filter now. */
  readonly passing: number;
  readonly filters: Readonly<Record<string, { readonly failing: number; readonly alone: number }>>;
  readonly best: readonly ExplainedCandidate[];
  readonly nearest: readonly ExplainedCandidate[];
};

const LISTED = 10;
const EXCLUDED_LISTED_MAX = 50;

/**
 * Every node's outcome for the task in the pool as it is now, and which single change would have won. What the task
 * holds itself is given back for the question, so that a task at work is explained as if it were placed again.
 */
export function explainTask(task: PoolTask, { now }: ExplainTask, pool: Pool): TaskExplanation {
  const { job, spec } = task;
  const own = [...job.leases].map(id => pool.leases.get(id)!).filter(({ taskId }) => taskId === spec.taskId);
  // While another replica waits, it does so beside those that are at work.
  const working = new Set(waitingReplicas(task) > 0 ? [] : own.map(({ operatorId }) => operatorId));
  const operatorsExcluded = new Set([...task.operators].filter(operator => !working.has(operator)));
  const kept = pool.kinship.withRelatives(operatorsExcluded, tiesKeptOf(task, now));
  const request = { ...requestFor(pool, task, now), operatorsExcluded: kept };
  const booking = openBookingOf(pool, job);
  const engine = booking ? roomOf(pool, booking) : pool.engine;
  const { explained, beside } = engine.simulate(() => {
    if (!booking) {
      for (const { hold } of own) engine.release(hold);
      new BookedRoom(pool, now.getTime(), [engine]).keepUntil(occupiesUntilMs(job.spec, now));
    }
    const explained = explain(engine, request, LISTED);
    if (explained.passing > 0 || kept.size === operatorsExcluded.size) return { explained, beside: [] };
    // Where only relatives are free, who they are.
    const free = explain(engine, { ...request, operatorsExcluded }, LISTED).best;
    return { explained, beside: free.map(({ nodeId }) => pool.nodes.get(nodeId)!.offer.operatorId) };
  });
  const spread = spreadExplained(pool, task, { now, operatorsExcluded, kept, beside });
  const { weightsVersion, nodes, passing, filters, best, nearest } = explained;
  return {
    taskId: spec.taskId,
    waitingReplicas: waitingReplicas(task),
    leases: own.map(leaseOf),
    nodesExcluded: [...task.failedOn].slice(0, EXCLUDED_LISTED_MAX),
    operatorsExcluded: [...operatorsExcluded].slice(0, EXCLUDED_LISTED_MAX),
    ...(spread && { spread }),
    policy: policyNameOf(pool),
    weightsVersion,
    nodes,
    passing,
    filters,
    best,
    nearest,
  };
}

const leaseOf = ({ leaseId, nodeId, pricePerSecondAtto }: Lease) => ({ leaseId, nodeId, pricePerSecondAtto });
