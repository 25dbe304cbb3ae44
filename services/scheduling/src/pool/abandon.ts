import { explain } from '@astro/matching/explain';
import type { NodeSnapshot } from '@astro/matching/node';
import { couldHost } from '@astro/matching/rules';
import type { JobFailure } from '@astro/messages/scheduling';
import type { PoolJob, PoolTask } from './pool-job.js';
import { poolLimits } from './pool-limits.js';
import { snapshotOf, type Pool } from './pool-state.js';
import type { WaitingGroup } from './waiting-tasks.js';

export type Abandonment = {
  readonly job: PoolJob;
  readonly reason: JobFailure;
  readonly detail: string;
};
type Verdict = { readonly reason: JobFailure; readonly detail: string } | undefined;

/**
 * The jobs that the pool gives up, and why. A job that waits for busy nodes waits as long as it takes. One
 * that no admitted node could host even when idle is given up after its patience; one whose attempts are used
 * up at once.
 */
export function jobsToAbandon(pool: Pool, now: Date, patienceMs: number): readonly Abandonment[] {
  const found = new Map<PoolJob, Abandonment>();
  const isFull = () => found.size === poolLimits.jobsAbandonedOfTick;
  for (const task of pool.waiting.spent) {
    if (isFull()) break;
    const detail = `${named(task)}: ${task.attempts} attempts were made`;
    found.set(task.job, { job: task.job, reason: 'attempts_exhausted', detail });
  }
  const oldest = pool.byMove.first;
  if (!oldest || !isOutOfPatience(oldest, now, patienceMs)) return [...found.values()];
  for (const group of pool.waiting.groups) {
    const verdict = verdictOn(group, pool);
    if (!verdict) continue;
    for (const task of group.tasks) {
      if (isFull()) return [...found.values()];
      if (found.has(task.job) || !isOutOfPatience(task.job, now, patienceMs)) continue;
      const { reason, detail } = verdict;
      found.set(task.job, { job: task.job, reason, detail: `${named(task)}: ${detail}` });
    }
  }
  return [...found.values()];
}

const isOutOfPatience = (job: PoolJob, now: Date, patienceMs: number) =>
  now.getTime() - job.movedAt.getTime() > patienceMs;

/** Only nodes that come and go change a verdict, so that it is found once between two of them. */
const verdicts = new WeakMap<WaitingGroup, { readonly ofNodes: number; readonly verdict: Verdict }>();

function verdictOn(group: WaitingGroup, pool: Pool): Verdict {
  const known = verdicts.get(group);
  if (known?.ofNodes === pool.nodeChanges) return known.verdict;
  const verdict = findVerdict(group, snapshotOf(pool));
  verdicts.set(group, { ofNodes: pool.nodeChanges, verdict });
  return verdict;
}

/** Replicas go to different operators, so it is operators that must suffice, not nodes. */
function findVerdict(group: WaitingGroup, nodes: readonly NodeSnapshot[]): Verdict {
  const { requirements: needs, replicas, nodesExcluded } = group;
  const operators = operatorsFor(
    group,
    nodes.filter(node => couldHost(needs, node)),
  );
  if (operators >= replicas) return undefined;

  const missing = `${replicas} more operators needed, ${operators} eligible`;
  const detail = `${missing}; ${excludedBy(group, nodes)}`;
  const anywhere = { ...group, nodesExcluded: new Set<string>() };
  if (
    operatorsFor(
      anywhere,
      nodes.filter(node => couldHost(needs, node)),
    ) >= replicas
  )
    return {
      reason: 'attempts_exhausted',
      detail: `${detail}; it failed on ${nodesExcluded.size} nodes`,
    };
  const atAnyPrice = operatorsFor(
    group,
    nodes.filter(node => couldHost(needs, node, 'priceCap')),
  );
  return { reason: atAnyPrice >= replicas ? 'price_cap_unmet' : 'no_eligible_node', detail };
}

const operatorsFor = (
  { nodesExcluded, operatorsExcluded }: Pick<WaitingGroup, 'nodesExcluded' | 'operatorsExcluded'>,
  eligible: readonly NodeSnapshot[],
) =>
  new Set(
    eligible
      .filter(node => !nodesExcluded.has(node.nodeId) && !operatorsExcluded.has(node.operatorId))
      .map(node => node.operatorId),
  ).size;

const named = (task: PoolTask) => `task ${task.spec.taskId}`;

/** For example `4 nodes, of which priceCap excludes 4, region excludes 1`. */
function excludedBy({ requirements }: WaitingGroup, nodes: readonly NodeSnapshot[]): string {
  const counts = Object.entries(explain(requirements, nodes)).filter(([, count]) => count > 0);
  const excluded = counts.map(([rule, count]) => `${rule} excludes ${count}`).join(', ');
  return `${nodes.length} nodes${excluded ? `, of which ${excluded}` : ''}`;
}
