import { explain } from '@astro/matching/explain';
import type { NodeSnapshot } from '@astro/matching/node';
import { couldHost } from '@astro/matching/rules';
import type { JobFailure } from '@astro/messages/scheduling';
import { attemptsLeft, waitingReplicas, type PoolJob, type PoolTask } from './pool-state.js';

export type Abandonment = { readonly reason: JobFailure; readonly detail: string };

/**
 * Why the pool gives a job up; nothing while there is hope. A job that waits for busy nodes waits as long as
 * it takes. One that no admitted node could host even when idle is given up after its patience.
 */
export function reasonToAbandon(
  job: PoolJob,
  nodes: readonly NodeSnapshot[],
  now: Date,
  patienceMs: number,
): Abandonment | undefined {
  const waiting = [...job.tasks.values()].filter(task => waitingReplicas(task) > 0);
  const spent = waiting.find(task => attemptsLeft(task) <= 0);
  if (spent)
    return { reason: 'attempts_exhausted', detail: `${named(spent)}: ${spent.attempts} attempts were made` };
  if (waiting.length === 0 || now.getTime() - job.movedAt.getTime() <= patienceMs) return undefined;

  const needs = job.spec.requirements;
  const eligible = nodes.filter(node => couldHost(needs, node));
  const unservable = unlike(waiting).find(task => !hasOperators(task, eligible));
  if (!unservable) return undefined;

  const detail = `${named(unservable)}: ${missingOperators(unservable, eligible)}; ${excludedBy(job, nodes)}`;
  if (hasOperators({ ...unservable, failedOn: new Set() }, eligible))
    return {
      reason: 'attempts_exhausted',
      detail: `${detail}; it failed on ${unservable.failedOn.size} nodes`,
    };
  const atAnyPrice = nodes.filter(node => couldHost(needs, node, 'priceCap'));
  const reason = hasOperators(unservable, atAnyPrice) ? 'price_cap_unmet' : 'no_eligible_node';
  return { reason, detail };
}

/** Tasks on which nothing happened yet are all alike: one of them answers for the others. */
function unlike(tasks: readonly PoolTask[]): readonly PoolTask[] {
  const untouched = tasks.find(task => task.attempts === 0);
  const touched = tasks.filter(task => task.attempts > 0);
  return untouched ? [untouched, ...touched] : touched;
}

/** Replicas go to different operators, so it is operators that must suffice, not nodes. */
const hasOperators = (task: PoolTask, eligible: readonly NodeSnapshot[]) =>
  operatorsFor(task, eligible) >= waitingReplicas(task);

const operatorsFor = ({ failedOn, operators }: PoolTask, eligible: readonly NodeSnapshot[]) =>
  new Set(
    eligible
      .filter(node => !failedOn.has(node.nodeId) && !operators.has(node.operatorId))
      .map(node => node.operatorId),
  ).size;

const named = (task: PoolTask) => `task ${task.spec.taskId}`;

const missingOperators = (task: PoolTask, eligible: readonly NodeSnapshot[]) =>
  `${waitingReplicas(task)} more operators needed, ${operatorsFor(task, eligible)} eligible`;

/** For example `4 nodes, of which priceCap excludes 4, region excludes 1`. */
function excludedBy(job: PoolJob, nodes: readonly NodeSnapshot[]): string {
  const counts = Object.entries(explain(job.spec.requirements, nodes)).filter(([, count]) => count > 0);
  const excluded = counts.map(([rule, count]) => `${rule} excludes ${count}`).join(', ');
  return `${nodes.length} nodes${excluded ? `, of which ${excluded}` : ''}`;
}
