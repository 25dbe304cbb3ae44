import { plainRequest, type TaskRequest } from '@astro/matching/engine/request';
import type { JobSpec } from '@astro/messages/scheduling';
import { idlePriceFactorOf, priceFactorOf } from './market.js';
import type { PoolTask } from './pool-job.js';
import { LEASE_GRACE_MS } from './pool-limits.js';
import { deadlineOfReplica } from './renewals.js';
import type { Pool } from './pool-state.js';
import { operatorsKeptFrom } from './spread.js';

/** What a waiting task asks the engine for, at the prices of now; `idle`: at those of a pool that nobody uses. */
export function requestFor(
  pool: Pool,
  task: PoolTask,
  now: Date,
  prices: 'posted' | 'idle' = 'posted',
): TaskRequest {
  const { spec, job, failedOn } = task;
  const { needsKey, spec: jobSpec } = job;
  const factor = prices === 'idle' ? idlePriceFactorOf(jobSpec) : priceFactorOf(pool, jobSpec, now);
  const requirements = pool.needs.of(needsKey, jobSpec, factor);
  return {
    ...plainRequest(spec.taskId, requirements, now.getTime()),
    deadlineMs: jobSpec.deadline?.getTime(),
    operatorsExcluded: operatorsKeptFrom(pool, task, now),
    nodesExcluded: failedOn,
    priority: jobSpec.priority,
  };
}

/** By when a lease that is granted now has ended, whatever happens; that of a replica unless it is renewed. */
export const deadlineOf = (spec: JobSpec, now: Date): Date =>
  spec.service
    ? deadlineOfReplica(spec.service, now)
    : new Date(now.getTime() + spec.program.timeLimitMs + LEASE_GRACE_MS);
