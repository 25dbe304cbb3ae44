import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  admit,
  defaultAdmissionRules,
  type AdmissionRules,
  type Promised,
  type Reservation,
  type Room,
} from './admit.js';
import { earliestFit } from './earliest-fit.js';
import { arrivalOrder } from './queue-order.js';
import { TaskQueue, type WaitingTask } from './task-queue.js';

type Unit = WaitingTask & { readonly units: number; readonly takesMs: number; readonly predictedMs: number };
type Kept = Reservation & { spareUnits: number };
type Lease = { readonly task: Unit; readonly startedMs: number; endsMs: number };

/** One place with so many units, which believes the predictions and doubles them when they prove wrong. */
class Units implements Room<Unit, Kept> {
  readonly running: Lease[] = [];
  nowMs = 0;

  constructor(readonly capacity: number) {}

  get free(): number {
    return this.capacity - this.running.reduce((held, { task }) => held + task.units, 0);
  }

  start(task: Unit): boolean {
    if (task.units > this.free) return false;
    this.running.push({ task, startedMs: this.nowMs, endsMs: this.nowMs + task.predictedMs });
    return true;
  }

  startBeside(task: Unit, kept: Kept): boolean {
    if (task.units > kept.spareUnits || !this.start(task)) return false;
    kept.spareUnits -= task.units;
    return true;
  }

  reserve(task: Unit): Kept | undefined {
    for (const lease of this.running) {
      while (lease.endsMs <= this.nowMs) lease.endsMs += Math.max(1, lease.endsMs - lease.startedMs);
    }
    const ends = [...this.running].sort((a, b) => a.endsMs - b.endsMs);
    let free = this.free;
    const found = earliestFit(
      ends,
      lease => (free += lease.task.units),
      () => (free >= task.units ? free - task.units : undefined),
    );
    return found && { fromMs: found.fromMs, spareUnits: found.fit };
  }

  end(nowMs: number): void {
    this.nowMs = nowMs;
    const ended = this.running.filter(({ task, startedMs }) => startedMs + task.takesMs <= nowMs);
    for (const lease of ended) this.running.splice(this.running.indexOf(lease), 1);
  }
}

type Outcome = {
  readonly startMs: ReadonlyMap<string, number>;
  readonly firstPromiseMs: ReadonlyMap<string, number>;
  readonly headSinceMs: ReadonlyMap<string, number>;
};

/** Runs the tasks in steps of one millisecond until all have started, or the time is over. */
function play(tasks: readonly Unit[], capacity: number, rules: AdmissionRules, untilMs = 5_000): Outcome {
  const queue = new TaskQueue<Unit>(arrivalOrder, { tasksMax: 1_000 });
  const room = new Units(capacity);
  const startMs = new Map<string, number>();
  const firstPromiseMs = new Map<string, number>();
  const headSinceMs = new Map<string, number>();
  let promised: Promised<Kept> | undefined;
  for (let nowMs = 0; nowMs <= untilMs && startMs.size < tasks.length; nowMs++) {
    room.end(nowMs);
    for (const task of tasks) if (task.enqueuedMs === nowMs) queue.add(task);
    const walk = queue.walk(() => 0);
    const upperMs = (task: Unit) => task.predictedMs;
    const onStart = ({ taskId }: Unit) => startMs.set(taskId, nowMs);
    const admission = admit({ walk, room, nowMs, upperMs, onStart, promised, rules });
    for (const { taskId } of admission.started) queue.remove(taskId);
    promised = admission.promised;
    expect(room.free).toBeGreaterThanOrEqual(0);
    if (!promised || headSinceMs.has(promised.taskId)) continue;
    headSinceMs.set(promised.taskId, nowMs);
    firstPromiseMs.set(promised.taskId, promised.firstFromMs);
  }
  return { startMs, firstPromiseMs, headSinceMs };
}

const unit = (
  taskId: string,
  enqueuedMs: number,
  units: number,
  takesMs: number,
  predictedMs = takesMs,
): Unit => ({
  taskId,
  enqueuedMs,
  units,
  takesMs,
  predictedMs,
  tenantId: 'a',
  classKey: String(units),
  priority: 0,
  expectedMs: 0,
  demand: [units],
});

const exact = { ...defaultAdmissionRules, promiseGraceMs: Infinity };
const strict = { ...exact, backfillDepthMax: 0 };
const gang = unit('gang', 1, 4, 10);
const starts = (tasks: readonly Unit[], rules = exact) => Object.fromEntries(play(tasks, 4, rules).startMs);

describe('backfilling', () => {
  test('one that is gone in time passes the gang', () =>
    expect(starts([unit('running', 0, 3, 10), gang, unit('short', 2, 1, 8)])).toEqual({
      running: 0,
      short: 2,
      gang: 10,
    }));

  test('one that would delay the gang does not', () =>
    expect(starts([unit('running', 0, 3, 10), gang, unit('long', 2, 1, 9)])).toEqual({
      running: 0,
      gang: 10,
      long: 20,
    }));

  test('one that needs what the gang leaves over passes however long it is', () =>
    expect(
      starts([unit('running', 0, 3, 10), { ...gang, units: 3, classKey: '3' }, unit('long', 2, 1, 99)]),
    ).toEqual({ running: 0, long: 2, gang: 10 }));

  test('but only one of them, when it leaves over enough for one', () =>
    expect(
      starts([
        unit('running', 0, 2, 10),
        { ...gang, units: 3, classKey: '3' },
        unit('long', 2, 1, 99),
        unit('longer', 2, 1, 99),
      ]),
    ).toEqual({ running: 0, long: 2, gang: 10, longer: 20 }));

  test('without a depth nothing passes', () =>
    expect(starts([unit('running', 0, 3, 10), gang, unit('short', 2, 1, 8)], strict)).toEqual({
      running: 0,
      gang: 10,
      short: 20,
    }));

  test('what no empty pool would host holds up nobody', () =>
    expect(starts([unit('huge', 0, 5, 1), unit('small', 1, 4, 1)])).toEqual({ small: 1 }));

  test('no more start in one tick than may', () => {
    const { startMs } = play([unit('a', 0, 1, 9), unit('b', 0, 1, 9)], 4, { ...exact, startsMax: 1 });
    expect(Object.fromEntries(startMs)).toEqual({ a: 0, b: 1 });
  });
});

const anyTasks = fc
  .array(
    fc.record({
      enqueuedMs: fc.integer({ min: 0, max: 60 }),
      units: fc.integer({ min: 1, max: 6 }),
      takesMs: fc.integer({ min: 1, max: 30 }),
      predictedMs: fc.integer({ min: 1, max: 30 }),
    }),
    { minLength: 1, maxLength: 40 },
  )
  .map(all => all.map((t, at) => unit(`t${at}`, t.enqueuedMs, t.units, t.takesMs, t.predictedMs)));
const TAKES_MAX = 30;
const GRACE = 5;

describe('whatever the tasks', () => {
  test('with right predictions no head starts after its first promise', () => {
    fc.assert(
      fc.property(anyTasks, tasks => {
        const known = tasks.map(task => ({ ...task, predictedMs: task.takesMs }));
        const { startMs, firstPromiseMs } = play(known, 6, exact);
        expect(startMs.size).toBe(tasks.length);
        for (const [id, promiseMs] of firstPromiseMs) expect(startMs.get(id)).toBeLessThanOrEqual(promiseMs);
      }),
    );
  });

  test('with wrong predictions a head starts within one lease of its promise and the grace', () => {
    fc.assert(
      fc.property(anyTasks, tasks => {
        const { startMs, firstPromiseMs } = play(tasks, 6, { ...exact, promiseGraceMs: GRACE });
        expect(startMs.size).toBe(tasks.length);
        for (const [id, promiseMs] of firstPromiseMs) {
          expect(startMs.get(id)).toBeLessThanOrEqual(promiseMs + GRACE + 1 + TAKES_MAX);
        }
      }),
    );
  });

  test('the same tasks start at the same times', () => {
    fc.assert(fc.property(anyTasks, tasks => expect(play(tasks, 6, exact)).toEqual(play(tasks, 6, exact))));
  });
});

describe('a promise that has slipped beyond the grace', () => {
  const rules = { ...exact, promiseGraceMs: GRACE };
  // Expected to end at 2, then at 4, 8, 16 and so on.
  const overdue = unit('overdue', 0, 3, 60, 2);

  test('lets nobody pass on a prediction any more', () =>
    expect(starts([overdue, gang, unit('liar', 9, 1, 200, 1)], rules)).toEqual({
      overdue: 0,
      gang: 60,
      liar: 70,
    }));

  test('but before that it does', () =>
    expect(starts([overdue, gang, unit('liar', 5, 1, 200, 1)], rules)).toEqual({
      overdue: 0,
      liar: 5,
      gang: 205,
    }));

  test('keeps its place until the head starts', () => {
    const room = new Units(4);
    const queue = new TaskQueue<Unit>(arrivalOrder, { tasksMax: 9 });
    const tick = { room, rules, upperMs: () => 1, onStart: () => undefined };
    for (const task of [overdue, gang]) queue.add(task);
    let promised: Promised<Kept> | undefined;
    const seen: (typeof promised)[] = [];
    for (const nowMs of [0, 8, 9, 40]) {
      room.nowMs = nowMs;
      const admission = admit({ ...tick, walk: queue.walk(() => 0), nowMs, promised });
      for (const { taskId } of admission.started) queue.remove(taskId);
      promised = admission.promised;
      seen.push(promised);
    }
    expect(seen.map(each => each?.isHard)).toEqual([false, true, true, true]);
    expect(seen[3]!.reservation).toBe(seen[1]!.reservation);
  });
});

test('a stream of tasks that claim to be short starves no gang', () => {
  const liars = Array.from({ length: 400 }, (_, at) => unit(`liar${at}`, at, 1, 30, 1));
  const tasks = [...liars, unit('gang', 50, 6, 10)];
  const { startMs, firstPromiseMs } = play(tasks, 6, { ...exact, promiseGraceMs: GRACE });
  const lateMs = startMs.get('gang')! - firstPromiseMs.get('gang')!;
  expect(lateMs).toBeLessThanOrEqual(GRACE + 1 + TAKES_MAX);
});
