import type { TaskRequest } from '@astro/matching/engine/request';
import type { JobSpec } from '@astro/messages/scheduling';
import { NO_SURGE } from './needs.js';
import type { PoolTask } from './pool-job.js';
import { LEASE_GRACE_MS } from './pool-limits.js';
import type { Pool } from './pool-state.js';
import type { WaitingGroup } from './waiting-group.js';

/** What a waiting task asks the engine for. */
export function requestFor(
  pool: Pool,
  group: Pick<WaitingGroup, 'needsKey' | 'spec' | 'operatorsExcluded' | 'nodesExcluded'>,
  { spec }: PoolTask,
  now: Date,
): TaskRequest {
  const { deadline, priority } = group.spec;
  return {
    taskId: spec.taskId,
    requirements: pool.needs.of(group.needsKey, group.spec, NO_SURGE),
    decidedAtMs: now.getTime(),
    deadlineMs: deadline?.getTime(),
    operatorsExcluded: group.operatorsExcluded,
    nodesExcluded: group.nodesExcluded,
    siblingNodes: [],
    priority,
    leaseClass: 'on-demand',
  };
}

/** By when a lease that is granted now has ended, whatever happens. */
export const deadlineOf = (spec: JobSpec, now: Date): Date =>
  new Date(now.getTime() + spec.program.timeLimitMs + LEASE_GRACE_MS);
