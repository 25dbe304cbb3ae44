import type { Requirements } from '@astro/messages/scheduling';
import { OrderedList } from './ordered-list.js';
import { attemptsLeft, waitingReplicas, type PoolTask } from './pool-job.js';

/** Tasks that wait for the same: what suits one of them, or does not, suits all. In their order. */
export type WaitingGroup = {
  readonly key: string;
  readonly requirements: Requirements;
  readonly operatorsExcluded: ReadonlySet<string>;
  readonly nodesExcluded: ReadonlySet<string>;
  /** Replicas that each of them waits for. */
  readonly replicas: number;
  readonly tasks: OrderedList<PoolTask>;
};

/**
 * What waits in the pool, by what it waits for. A tick that finds no room for a group need not look at the
 * rest of it, so that its cost follows the number of groups and of grants, not of waiting tasks.
 */
export class WaitingTasks {
  readonly #groups = new Map<string, WaitingGroup>();
  /** Tasks that wait although their attempts are used up: their jobs cannot be served. */
  readonly #spent = new OrderedList<PoolTask>(byQueueing);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get groups(): Iterable<WaitingGroup> {
    return this.#groups.values();
  }

  get spent(): Iterable<PoolTask> {
    return this.#spent;
  }

  /** Puts the task where it now belongs, which is nowhere when it waits for nothing. */
  refresh(task: PoolTask): void {
    const key = task.isOpen && waitingReplicas(task) > 0 ? keyOf(task) : NOWHERE;
    if (key === task.waitsIn) return;
    this.#leave(task);
    task.waitsIn = key;
    if (key === NOWHERE) return;
    this.#size += 1;
    if (key === SPENT) this.#spent.add(task);
    else (this.#groups.get(key) ?? this.#open(key, task)).tasks.add(task);
  }

  #leave(task: PoolTask): void {
    if (task.waitsIn === NOWHERE) return;
    this.#size -= 1;
    if (task.waitsIn === SPENT) return this.#spent.remove(task);
    const group = this.#groups.get(task.waitsIn)!;
    group.tasks.remove(task);
    if (group.tasks.size === 0) this.#groups.delete(group.key);
  }

  #open(key: string, task: PoolTask): WaitingGroup {
    const group: WaitingGroup = {
      key,
      requirements: task.job.spec.requirements,
      operatorsExcluded: new Set(task.operators),
      nodesExcluded: new Set(task.failedOn),
      replicas: replicasToPlace(task),
      tasks: new OrderedList(byQueueing),
    };
    this.#groups.set(key, group);
    return group;
  }
}

/** The job that was queued first comes first, its tasks in the order of its specification. */
export const byQueueing = (left: PoolTask, right: PoolTask): number =>
  left.job.queuedAt.getTime() - right.job.queuedAt.getTime() ||
  left.job.number - right.job.number ||
  left.index - right.index;

/** Where a task is that waits for nothing. */
export const NOWHERE = '';
const SPENT = 'spent';

const replicasToPlace = (task: PoolTask): number => Math.min(waitingReplicas(task), attemptsLeft(task));

function keyOf(task: PoolTask): string {
  const { operators, failedOn, job } = task;
  const replicas = replicasToPlace(task);
  if (replicas <= 0) return SPENT;
  if (operators.size === 0 && failedOn.size === 0) return `${replicas} ${job.requirementsKey}`;
  const excluded = [[...operators].sort(), [...failedOn].sort()].map(ids => ids.join(','));
  return `${replicas} ${job.requirementsKey} ${excluded.join(' ')}`;
}
