import { IndexedHeap } from './indexed-heap.js';
import { rankMs, setBackMs, type QueueOrder } from './queue-order.js';
import type { Amounts } from './fair-shares.js';

export type WaitingTask = {
  readonly taskId: string;
  readonly tenantId: string;
  /** Tasks of one class ask for exactly the same: where one does not fit, none does. */
  readonly classKey: string;
  readonly enqueuedMs: number;
  /** 0 to 9; the higher goes first. */
  readonly priority: number;
  /** Mean duration that was predicted when the task was queued. */
  readonly expectedMs: number;
  /** What the task would hold of each resource, for the sake of fairness. */
  readonly demand: Amounts;
};

export type QueueLimits = { readonly tasksMax: number };

type Entry<Task> = { readonly task: Task; readonly rankMs: number; readonly sequence: number; slot: number };

/** The tasks of one tenant and one class, which share their set-back and whether they fit. */
type Lane<Task> = {
  readonly tenantId: string;
  readonly classKey: string;
  readonly waiting: IndexedHeap<Entry<Task>>;
};

/** An entry that the walk may come to next. */
type Reached<Task> = {
  readonly lane: Lane<Task>;
  readonly entry: Entry<Task>;
  /** Rank and set-back together, as they were when it was reached. */
  orderMs: number;
  slot: number;
};

/**
 * Everything that waits, in order. Entering and leaving cost O(log n) and nothing is sorted per tick: ranks
 * never change, and what changes (the set-back of a tenant) is the same for all tasks of a lane. Equal ranks
 * go in the order of entering.
 */
export class TaskQueue<Task extends WaitingTask> {
  private readonly lanes = new Map<string, Lane<Task>>();
  private readonly entries = new Map<string, { readonly lane: Lane<Task>; readonly entry: Entry<Task> }>();
  private sequence = 0;

  constructor(
    private readonly order: QueueOrder,
    private readonly limits: QueueLimits,
  ) {}

  get size(): number {
    return this.entries.size;
  }

  has(taskId: string): boolean {
    return this.entries.has(taskId);
  }

  /** `exists`: the task waits already; `full`: the queue holds as many as it may. */
  add(task: Task): 'added' | 'exists' | 'full' {
    const { taskId, tenantId, classKey } = task;
    if (this.entries.has(taskId)) return 'exists';
    if (this.entries.size >= this.limits.tasksMax) return 'full';
    const entry = { task, rankMs: rankMs(task, this.order), sequence: this.sequence, slot: 0 };
    this.sequence += 1;
    const lane = this.laneOf(tenantId, classKey);
    lane.waiting.push(entry);
    this.entries.set(taskId, { lane, entry });
    return 'added';
  }

  /** Whether it waited. */
  remove(taskId: string): boolean {
    const found = this.entries.get(taskId);
    if (!found) return false;
    const { lane, entry } = found;
    lane.waiting.remove(entry);
    this.entries.delete(taskId);
    if (lane.waiting.size === 0) this.lanes.delete(laneKey(lane.tenantId, lane.classKey));
    return true;
  }

  /**
   * Walks the tasks in order, as far as it is asked to. `useOfEntitlement` is asked again as the walk goes on
   * and may only grow meanwhile, as it does when the walker starts what it meets. The queue must not change
   * before the walk has ended.
   */
  walk(useOfEntitlement: (tenantId: string) => number): Walk<Task> {
    return new Walk([...this.lanes.values()], tenantId => setBackMs(useOfEntitlement(tenantId), this.order));
  }

  private laneOf(tenantId: string, classKey: string): Lane<Task> {
    const key = laneKey(tenantId, classKey);
    const known = this.lanes.get(key);
    if (known) return known;
    const isBefore = (a: Entry<Task>, b: Entry<Task>) =>
      a.rankMs < b.rankMs || (a.rankMs === b.rankMs && a.sequence < b.sequence);
    const lane = { tenantId, classKey, waiting: new IndexedHeap<Entry<Task>>(isBefore) };
    this.lanes.set(key, lane);
    return lane;
  }
}

/** A length in front keeps two pairs apart whatever characters they are made of. */
const laneKey = (tenantId: string, classKey: string) => `${tenantId.length}:${tenantId}${classKey}`;

/** One walk over the queue in order; the first k tasks cost O((lanes + k) log (lanes + k)). */
export class Walk<Task extends WaitingTask> {
  private readonly frontier = new IndexedHeap<Reached<Task>>(
    (a, b) => a.orderMs < b.orderMs || (a.orderMs === b.orderMs && a.entry.sequence < b.entry.sequence),
  );
  private readonly classesLeft = new Set<string>();

  constructor(
    lanes: readonly Lane<Task>[],
    private readonly setBack: (tenantId: string) => number,
  ) {
    for (const lane of lanes) this.reach(lane, 0);
  }

  /** The next task in order, or nothing when all that remain have been met or left out. */
  next(): Task | undefined {
    for (let reached = this.frontier.pop(); reached; reached = this.frontier.pop()) {
      const { lane, entry } = reached;
      if (this.classesLeft.has(lane.classKey)) continue;
      const orderMs = entry.rankMs + this.setBack(lane.tenantId);
      if (orderMs > reached.orderMs) {
        // The tenant was given something since: its tasks are due later than they were.
        this.frontier.push({ ...reached, orderMs });
        continue;
      }
      this.reach(lane, 2 * entry.slot + 1);
      this.reach(lane, 2 * entry.slot + 2);
      return entry.task;
    }
    return undefined;
  }

  /** Leaves out what remains of a class: it does not fit. */
  leaveOut(classKey: string): void {
    this.classesLeft.add(classKey);
  }

  private reach(lane: Lane<Task>, slot: number): void {
    const entry = lane.waiting.at(slot);
    if (entry)
      this.frontier.push({ lane, entry, orderMs: entry.rankMs + this.setBack(lane.tenantId), slot: 0 });
  }
}
