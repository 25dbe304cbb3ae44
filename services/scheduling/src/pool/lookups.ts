import type { PoolJob, PoolTask } from './pool-job.js';
import type { Lease, Pool, PoolNode } from './pool-state.js';

/** What an event names is in the pool, or the history is broken. */
export function taskOf(pool: Pool, jobId: string, taskId: string): PoolTask {
  return existing(jobOf(pool, jobId).tasks, taskId, `open task of job ${jobId}`);
}
export const nodeOf = (pool: Pool, nodeId: string): PoolNode => existing(pool.nodes, nodeId, 'node');
export const jobOf = (pool: Pool, jobId: string): PoolJob => existing(pool.jobs, jobId, 'job');
export const leaseOf = (pool: Pool, leaseId: string): Lease => existing(pool.leases, leaseId, 'live lease');

/** Now or a while ago: the last of a log comes after the end. */
export function holdsLease({ nodes }: Pool, nodeId: string, leaseId: string): boolean {
  const node = nodes.get(nodeId);
  return node !== undefined && (node.leases.has(leaseId) || node.endedLeases.has(leaseId));
}

function existing<Value>(map: ReadonlyMap<string, Value>, id: string, what: string): Value {
  const value = map.get(id);
  if (value === undefined) throw new Error(`the pool has no ${what} ${id}`);
  return value;
}

/** Sets and maps keep the order in which their entries came. */
export function forgetOldest(
  entries: { readonly size: number; keys(): Iterable<string>; delete(key: string): boolean },
  limit: number,
): void {
  for (const oldest of entries.keys()) {
    if (entries.size <= limit) return;
    entries.delete(oldest);
  }
}
