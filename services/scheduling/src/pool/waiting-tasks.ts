import { TaskQueue, type Walk } from '@astro/matching/queue/task-queue';
import type { WaitingGroup } from './waiting-group.js';
import { isInterruptible } from './market.js';
import { OrderedList } from './ordered-list.js';
import { poolLimits } from './pool-limits.js';
import { poolOrder, queuedTaskOf, queueIdOf, type QueuedTask } from './queued-task.js';
import { attemptsLeft, waitingReplicas, type PoolTask } from './pool-job.js';

/**
 * What waits in the pool, by what it waits for. A tick that finds no room for a group need not look at the
 * rest of it, so that its cost follows the number of groups and of grants, not of waiting tasks.
 */
export class WaitingTasks {
  readonly #groups = new Map<string, WaitingGroup>();
  readonly #queue = new TaskQueue<QueuedTask>(poolOrder, { tasksMax: poolLimits.tasks });
  /** Tasks that wait although their attempts are used up: their jobs cannot be served. */
  readonly #spent = new OrderedList<PoolTask>(byQueueing);
  #size = 0;
  #entries = 0;

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
    const key = task.isOpen && task.isBegun && waitingReplicas(task) > 0 ? keyOf(task) : NOWHERE;
    if (key === task.waitsIn) return;
    const { funding } = task.job;
    if (funding) funding.waiting += Number(key !== NOWHERE) - Number(task.waitsIn !== NOWHERE);
    this.#leave(task);
    task.waitsIn = key;
    if (key === NOWHERE) return;
    this.#size += 1;
    if (key === SPENT) return this.#spent.add(task);
    this.#entries += 1;
    task.waitingSince = this.#entries;
    this.#enter(this.#groups.get(key) ?? this.#open(key, task), task);
  }

  /** How often a task has begun to wait. */
  get entries(): number {
    return this.#entries;
  }

  /** Takes what waited in another pool of the same facts, in the order in which it began to wait there. */
  restore(tasks: readonly PoolTask[], entries: number): void {
    const waiting = tasks.filter(({ waitsIn }) => waitsIn !== NOWHERE);
    for (const task of waiting.sort((left, right) => left.waitingSince - right.waitingSince)) {
      const { waitsIn: key } = task;
      this.#size += 1;
      if (key === SPENT) this.#spent.add(task);
      else this.#enter(this.#groups.get(key) ?? this.#open(key, task), task);
    }
    this.#entries = entries;
  }

  /** What waits for idle capacity, which an auction sells. */
  get bidding(): readonly WaitingGroup[] {
    return [...this.#groups.values()].filter(({ spec }) => isInterruptible(spec));
  }

  /** What waits but what is sold by auction, in order; `useOfEntitlement` may only grow while it is walked. */
  walk(useOfEntitlement: (tenantId: string) => number): Walk<QueuedTask> {
    return this.#queue.walk(useOfEntitlement);
  }

  #enter(group: WaitingGroup, task: PoolTask): void {
    group.tasks.add(task);
    if (isInterruptible(task.job.spec)) return;
    const entered = this.#queue.add(queuedTaskOf(task, group));
    if (entered !== 'added') throw new Error(`task ${task.spec.taskId} cannot wait: ${entered}`);
  }

  #leave(task: PoolTask): void {
    if (task.waitsIn === NOWHERE) return;
    this.#size -= 1;
    if (task.waitsIn === SPENT) return this.#spent.remove(task);
    const group = this.#groups.get(task.waitsIn)!;
    group.tasks.remove(task);
    if (!isInterruptible(task.job.spec)) this.#queue.remove(queueIdOf(task));
    if (group.tasks.size === 0) this.#groups.delete(group.key);
  }

  #open(key: string, task: PoolTask): WaitingGroup {
    const isGang = task.job.spec.gang !== undefined;
    const group: WaitingGroup = {
      key,
      needsKey: task.job.needsKey,
      spec: task.job.spec,
      operatorsExcluded: new Set(isGang ? [] : task.operators),
      nodesExcluded: new Set(isGang ? [] : task.failedOn),
      // What a service can have is better than nothing, so that there is room for it when there is for one.
      replicas: task.job.service ? 1 : replicasToPlace(task),
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
  const { operators, failedOn, apartSince, job } = task;
  const replicas = replicasToPlace(task);
  if (replicas <= 0) return SPENT;
  // The members of a gang are placed together, whatever keeps one of them from a node, and no other job's tasks
  // stand in for them.
  if (job.spec.gang) return `gang ${job.jobId}`;
  if (job.service) return `service ${job.jobId} ${[...failedOn].sort().join(',')}`;
  if (operators.size === 0 && failedOn.size === 0) return `${replicas} ${job.needsKey}`;
  const excluded = [[...operators].sort(), [...failedOn].sort()].map(ids => ids.join(','));
  // The longer it waits, the less it is kept apart from others by.
  const since = operators.size > 0 ? (apartSince?.getTime() ?? '') : '';
  return `${replicas} ${job.needsKey} ${excluded.join(' ')} ${since}`;
}
