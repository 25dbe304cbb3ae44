import { relaxations, ties, tiesKept, type Tie } from '@astro/matching/spread/kinship';
import { accept, reject, type Decision } from '@astro/event-sourcing/decider';
import type { LeaseCompleted, PoolEvent, RelateOperator, UnrelateOperator } from '@astro/messages/scheduling';
import type { PoolTask } from './pool-job.js';
import type { Pool } from './pool-state.js';

type SpreadDecision = Decision<PoolEvent, 'AffiliationIsInvalid'>;
type KinshipEvent = Extract<PoolEvent, { readonly type: 'OperatorRelated' | 'OperatorUnrelated' }>;

export function relateOperator(data: RelateOperator, pool: Pool): SpreadDecision {
  const known = isRelated(data, pool);
  if (known === undefined) return reject('AffiliationIsInvalid', 'affiliation.kind: must be specified');
  return known ? accept() : accept({ type: 'OperatorRelated', data });
}

export function unrelateOperator(data: UnrelateOperator, pool: Pool): SpreadDecision {
  return isRelated(data, pool) ? accept({ type: 'OperatorUnrelated', data }) : accept();
}

function isRelated({ operatorId, affiliation }: RelateOperator, { kinship }: Pool): boolean | undefined {
  const { kind, key } = affiliation;
  return kind === 'unspecified' ? undefined : kinship.has(operatorId, kind, key);
}

/** Verdicts on what waits may be others from here on. */
export function changeKinship(pool: Pool, { type, data: { operatorId, affiliation } }: KinshipEvent): void {
  const { kind, key } = affiliation;
  if (kind === 'unspecified') throw new Error(`${operatorId} was related by nothing`);
  if (type === 'OperatorRelated') pool.kinship.relate(operatorId, kind, key);
  else pool.kinship.unrelate(operatorId, kind, key);
  pool.nodeChanges += 1;
}

/** From here on another replica of the task waits for an operator that is not related to those which have it. */
export function waitApart(task: PoolTask | undefined, since: Date | undefined): void {
  if (task && since && (!task.apartSince || since > task.apartSince)) task.apartSince = since;
}

/** By what an operator must not be related to those that have the task. */
export const tiesKeptOf = (task: PoolTask, now: Date): readonly Tie[] =>
  tiesKept(now.getTime() - apartSince(task).getTime());

/** What was recorded before related operators were kept apart tells no time of its own. */
const apartSince = ({ apartSince: since, job }: PoolTask): Date => since ?? job.movedAt;

/** Those that have the task, and those that are related to one of them by what still counts. */
export function operatorsKeptFrom({ kinship }: Pool, task: PoolTask, now: Date): ReadonlySet<string> {
  return task.operators.size === 0
    ? task.operators
    : kinship.withRelatives(task.operators, tiesKeptOf(task, now));
}

/** When less than now keeps a replica of a task that waits apart from others; undefined where only more facts can. */
export function relaxesAt(task: PoolTask, now: Date): Date | undefined {
  if (task.operators.size === 0) return undefined;
  const sinceMs = apartSince(task).getTime();
  const after = relaxations().find(waitMs => sinceMs + waitMs > now.getTime());
  return after === undefined ? undefined : new Date(sinceMs + after);
}

/** When that is next so for any that waits. Those of a group wait since the same time. */
export function nextRelaxedAtMs({ waiting, kinship }: Pool, now: Date): number {
  if (kinship.isEmpty) return Infinity;
  let nextMs = Infinity;
  for (const { tasks } of waiting.groups)
    nextMs = Math.min(nextMs, relaxesAt(tasks.first!, now)?.getTime() ?? Infinity);
  return nextMs;
}

/** What relates those that have or had the task, for whoever judges their results. */
export function spreadOf({ kinship }: Pool, task: PoolTask | undefined): Pick<LeaseCompleted, 'spread'> {
  const operators = [...(task?.operators ?? [])].sort();
  if (operators.length < 2) return {};
  const found = operators.flatMap((one, at) =>
    operators.slice(at + 1).flatMap(other => kinship.tieBetween(one, other) ?? []),
  );
  const relatedBy = ties.findLast(tie => found.includes(tie));
  const voices = operators.flatMap(operatorId => {
    const groupId = kinship.groupOf(operatorId);
    return groupId === undefined ? [] : [{ operatorId, groupId }];
  });
  if (relatedBy === undefined && voices.length === 0) return {};
  return { spread: { ...(relatedBy && { relatedBy }), voices } };
}
