import type { NodeOffer } from '@astro/matching/engine/offer';
import type { Requirements } from '@astro/matching/engine/request';
import { couldHost, countExcluded, type RuleName } from '@astro/matching/rules';
import type { Kinship } from '@astro/matching/spread/kinship';
import type { JobFailure, JobSpec } from '@astro/messages/scheduling';
import { basisOfBooked, tooLateForBooking, verdictOnBooked } from './booking/verdict-on-booked.js';
import { jobsOutOfFunds } from './funding.js';
import type { PoolJob, PoolTask } from './pool-job.js';
import { idlePriceFactorOf } from './market.js';
import { poolLimits } from './pool-limits.js';
import { expectedMs } from './needs.js';
import type { Pool } from './pool-state.js';
import { fitsIdlePool } from './reservation.js';
import type { WaitingGroup } from './waiting-group.js';

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
  for (const abandonment of jobsOutOfFunds(pool, now)) {
    if (isFull()) break;
    found.set(abandonment.job, abandonment);
  }
  for (const group of pool.waiting.groups) {
    const verdict = tooLateForDeadline(group.spec, now) ?? tooLateForBooking(pool, group.spec, now);
    if (!verdict) continue;
    for (const task of group.tasks) {
      if (isFull()) return [...found.values()];
      const { reason, detail } = verdict;
      if (!found.has(task.job))
        found.set(task.job, { job: task.job, reason, detail: `${named(task)}: ${detail}` });
    }
  }
  const oldest = pool.byMove.first;
  if (!oldest || !isOutOfPatience(oldest, now, patienceMs)) return [...found.values()];
  for (const group of pool.waiting.groups) {
    const verdict = verdictOn(group, pool, now);
    if (!verdict) continue;
    for (const task of group.tasks) {
      if (isFull()) return [...found.values()];
      if (found.has(task.job) || !isOutOfPatience(task.job, now, patienceMs)) continue;
      // A service that was placed once waits for nodes to come back: it costs nothing meanwhile.
      if (task.job.service && task.attempts > 0) continue;
      const { reason, detail } = verdict;
      found.set(task.job, { job: task.job, reason, detail: `${named(task)}: ${detail}` });
    }
  }
  return [...found.values()];
}

function tooLateForDeadline(spec: JobSpec, now: Date): Verdict {
  const { deadline } = spec;
  if (!deadline || now.getTime() + expectedMs(spec) <= deadline.getTime()) return undefined;
  const detail = `${expectedMs(spec)} ms are expected, its deadline is ${deadline.toISOString()}`;
  return { reason: 'deadline_unmet', detail };
}

const isOutOfPatience = (job: PoolJob, now: Date, patienceMs: number) =>
  now.getTime() - job.movedAt.getTime() > patienceMs;

/**
 * Only nodes that come and go change a verdict, so that it is found once between two of them; that on a gang also
 * depends on which members wait.
 */
const verdicts = new WeakMap<WaitingGroup, { readonly basis: string; readonly verdict: Verdict }>();

function verdictOn(group: WaitingGroup, pool: Pool, now: Date): Verdict {
  const known = verdicts.get(group);
  const booking = bookingOf(pool, group);
  const basis = `${pool.nodeChanges} ${membersOf(group)}${booking ? basisOfBooked(booking) : ''}`;
  if (known?.basis === basis) return known.verdict;
  const verdict = booking ? verdictOnBooked(pool, booking, group, now) : findVerdict(group, pool, now);
  verdicts.set(group, { basis, verdict });
  return verdict;
}

const bookingOf = ({ bookings }: Pool, { spec: { bookingId } }: WaitingGroup) =>
  bookingId === undefined ? undefined : bookings.get(bookingId);

/** Another text whenever another set of a gang's members waits; a task that waits again does so with a new number. */
function membersOf({ spec, tasks }: WaitingGroup): string {
  if (!spec.gang) return '';
  let newest = 0;
  for (const { waitingSince } of tasks) newest = Math.max(newest, waitingSince);
  return `${tasks.size} ${newest}`;
}

/** Replicas go to different operators, so it is operators that must suffice, not nodes. A group is one of them. */
function findVerdict(group: WaitingGroup, pool: Pool, now: Date): Verdict {
  const { replicas, nodesExcluded } = group;
  const needs = pool.needs.of(group.needsKey, group.spec, idlePriceFactorOf(group.spec));
  const nodes = [...pool.nodes.values()].map(({ engineOffer }) => engineOffer);
  const eligible: Eligible = { kinship: pool.kinship, nodes, needs };
  const operators = operatorsFor(group, eligible);
  if (operators >= replicas) {
    if (!group.spec.gang || fitsIdlePool(pool, group, now)) return undefined;
    const detail = `no part of the pool hosts all ${group.tasks.size} tasks of the gang together`;
    if (fitsIdlePool(pool, group, now, true))
      return { reason: 'attempts_exhausted', detail: `${detail} without a node that failed one of them` };
    return { reason: 'no_eligible_node', detail };
  }

  const detail = `${replicas} more operators needed, ${operators} eligible; ${excludedBy(needs, nodes)}`;
  const anywhere = { ...group, nodesExcluded: new Set<string>() };
  if (operatorsFor(anywhere, eligible) >= replicas)
    return {
      reason: 'attempts_exhausted',
      detail: `${detail}; it failed on ${nodesExcluded.size} nodes`,
    };
  const atAnyPrice = operatorsFor(group, eligible, priceRules);
  return { reason: atAnyPrice >= replicas ? 'price_cap_unmet' : 'no_eligible_node', detail };
}

const priceRules: readonly RuleName[] = ['priceCap', 'transferPriceCap'];

type Eligible = {
  readonly kinship: Kinship;
  readonly nodes: readonly NodeOffer[];
  readonly needs: Requirements;
};

/**
 * How many operators have a node that could host it when idle; no more than are needed are counted. Only what keeps
 * replicas apart for ever counts here: all else a wait ends.
 */
function operatorsFor(
  { nodesExcluded, operatorsExcluded, replicas }: WaitingGroup,
  { kinship, nodes, needs }: Eligible,
  ignoring?: readonly RuleName[],
): number {
  const found = new Set<string>();
  const taken = new Set(kinship.withRelatives(operatorsExcluded, ['collusion']));
  for (const node of nodes) {
    const { nodeId, operatorId } = node;
    if (found.size >= replicas) break;
    if (nodesExcluded.has(nodeId) || taken.has(operatorId)) continue;
    if (!couldHost(needs, node, ignoring)) continue;
    found.add(operatorId);
    kinship.addWithRelatives(operatorId, taken, ['collusion']);
  }
  return found.size;
}

const named = (task: PoolTask) => `task ${task.spec.taskId}`;

/** For example `4 nodes, of which priceCap excludes 4, region excludes 1`. */
function excludedBy(needs: Requirements, nodes: readonly NodeOffer[]): string {
  const counts = [...countExcluded(needs, nodes)];
  const excluded = counts.map(([rule, count]) => `${rule} excludes ${count}`).join(', ');
  return `${nodes.length} nodes${excluded ? `, of which ${excluded}` : ''}`;
}
