/** How waiting tasks are ordered; policy data. Everything is in milliseconds of waiting. */
export type QueueOrder = {
  /** How many milliseconds of waiting one expected millisecond of work weighs; 0 is first come, first served. */
  readonly handicapForExpected: number;
  /** A long task waits at most this much longer for being long. */
  readonly handicapMaxMs: number;
  /** The head start of each step of priority. */
  readonly headStartPerPriorityMs: number;
  /** The most that a tenant's use of the pool sets its tasks back. */
  readonly fairnessMaxMs: number;
};

export const PRIORITY_MAX = 9;

const DAY_MS = 86_400_000;

/** Found on the Philly trace (`npm run bench -- matching --philly`); the bound on overtaking is 12.5 days. */
export const defaultQueueOrder: QueueOrder = {
  handicapForExpected: 10,
  handicapMaxMs: 4 * DAY_MS,
  headStartPerPriorityMs: 0.5 * DAY_MS,
  fairnessMaxMs: 4 * DAY_MS,
};

/** Strictly the order of arrival. */
export const arrivalOrder: QueueOrder = {
  handicapForExpected: 0,
  handicapMaxMs: 0,
  headStartPerPriorityMs: 0,
  fairnessMaxMs: 0,
};

export type Ranked = {
  readonly enqueuedMs: number;
  /** 0 to 9; the higher goes first. */
  readonly priority: number;
  /** Mean duration predicted when it was queued, whatever the size. */
  readonly expectedMs: number;
};

/**
 * The moment from which a task counts as waiting: the lowest goes first. It never changes while the task
 * waits, because all tasks age alike; so nothing is ever sorted again. Long tasks and low priorities start to
 * count later, by no more than a stated bound.
 */
export function rankMs({ enqueuedMs, priority, expectedMs }: Ranked, order: QueueOrder): number {
  if (!Number.isFinite(enqueuedMs)) throw new RangeError(`enqueuedMs: finite, not ${enqueuedMs}`);
  if (!Number.isInteger(priority) || priority < 0 || priority > PRIORITY_MAX) {
    throw new RangeError(`priority: a whole number from 0 to ${PRIORITY_MAX}, not ${priority}`);
  }
  if (!(expectedMs >= 0)) throw new RangeError(`expectedMs: zero or more, not ${expectedMs}`);
  const handicapMs = Math.min(expectedMs * order.handicapForExpected, order.handicapMaxMs);
  return enqueuedMs + handicapMs + (PRIORITY_MAX - priority) * order.headStartPerPriorityMs;
}

/**
 * How far a tenant's use of its entitlement sets its tasks back: nothing for who used nothing, half of the
 * most at exactly its entitlement, never the whole of it.
 */
export const setBackMs = (useOfEntitlement: number, { fairnessMaxMs }: QueueOrder): number =>
  fairnessMaxMs * (useOfEntitlement / (1 + useOfEntitlement));

/**
 * The bound on starvation: nobody who queues more than this much later is ever ahead of a task, whatever the
 * lengths, priorities and tenants.
 */
export const overtakingMaxMs = (order: QueueOrder): number =>
  order.handicapMaxMs + PRIORITY_MAX * order.headStartPerPriorityMs + order.fairnessMaxMs;
