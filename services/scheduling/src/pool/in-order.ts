import type { PoolTask } from './pool-job.js';
import { byQueueing, type WaitingGroup } from './waiting-tasks.js';

type Cursor = { readonly group: WaitingGroup; readonly rest: Iterator<PoolTask>; task: PoolTask };
export type Waiting = { readonly task: PoolTask; readonly group: WaitingGroup };

/** Merges the groups into one order without looking at more of them than their heads: a heap of cursors. */
export function inOrder(groups: readonly WaitingGroup[]) {
  const heap: Cursor[] = [];
  for (const group of groups) {
    const rest = group.tasks[Symbol.iterator]();
    const first = rest.next();
    if (!first.done) push(heap, { group, rest, task: first.value });
  }
  const skipped = new Set<WaitingGroup>();
  let current: Cursor | undefined;
  return {
    /** Leaves out what is left of the group. */
    skip(group: WaitingGroup): void {
      skipped.add(group);
    },
    next(): Waiting | undefined {
      const following = current && !skipped.has(current.group) ? current.rest.next() : undefined;
      if (current && following && !following.done) push(heap, { ...current, task: following.value });
      current = pop(heap);
      return current;
    },
  };
}

const isBefore = (left: Cursor, right: Cursor) => byQueueing(left.task, right.task) < 0;

function push(heap: Cursor[], cursor: Cursor): void {
  let at = heap.push(cursor) - 1;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!isBefore(cursor, heap[parent]!)) break;
    heap[at] = heap[parent]!;
    at = parent;
  }
  heap[at] = cursor;
}

function pop(heap: Cursor[]): Cursor | undefined {
  const first = heap[0];
  const last = heap.pop();
  if (heap.length === 0 || !last) return first;
  let at = 0;
  for (let child = 1; child < heap.length; child = 2 * at + 1) {
    const right = child + 1;
    if (right < heap.length && isBefore(heap[right]!, heap[child]!)) child = right;
    if (!isBefore(heap[child]!, last)) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = last;
  return first;
}
