import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { arrivalOrder, defaultQueueOrder, overtakingMaxMs, rankMs, setBackMs } from './queue-order.js';
import { TaskQueue, type WaitingTask } from './task-queue.js';

const DAY = 86_400_000;
const task = (taskId: string, fields: Partial<WaitingTask> = {}): WaitingTask => ({
  taskId,
  tenantId: 'a',
  classKey: 'one',
  enqueuedMs: 0,
  priority: 5,
  expectedMs: 1_000,
  demand: [1],
  ...fields,
});
const unused = () => 0;
const queueOf = (tasks: readonly WaitingTask[], order = defaultQueueOrder) => {
  const queue = new TaskQueue<WaitingTask>(order, { tasksMax: 1_000 });
  for (const each of tasks) queue.add(each);
  return queue;
};
const idsInOrder = (queue: TaskQueue<WaitingTask>, use: (tenantId: string) => number = unused) => {
  const walk = queue.walk(use);
  const ids: string[] = [];
  for (let next = walk.next(); next; next = walk.next()) ids.push(next.taskId);
  return ids;
};

const anyTasks = fc
  .array(
    fc.record({
      tenantId: fc.constantFrom('a', 'b', 'c'),
      classKey: fc.constantFrom('one', 'two'),
      enqueuedMs: fc.integer({ min: 0, max: 30 * DAY }),
      priority: fc.integer({ min: 0, max: 9 }),
      expectedMs: fc.integer({ min: 0, max: 2 * DAY }),
    }),
    { maxLength: 60 },
  )
  .map(all => all.map((fields, index) => task(`t${index}`, fields)));
const anyUse = fc.record({ a: fc.nat(4), b: fc.nat(4), c: fc.nat(4) });
const useIn = (use: Readonly<Record<string, number>>) => (tenantId: string) => use[tenantId] ?? 0;

describe('the order', () => {
  test('first come, first served where nothing else differs', () =>
    expect(idsInOrder(queueOf([task('late', { enqueuedMs: 9 }), task('early', { enqueuedMs: 8 })]))).toEqual([
      'early',
      'late',
    ]));

  test('equal ranks go in the order of entering', () =>
    expect(idsInOrder(queueOf(['z', 'm', 'a'].map(id => task(id))))).toEqual(['z', 'm', 'a']));

  test.each<[string, Partial<WaitingTask>, Partial<WaitingTask>]>([
    ['the shorter', { expectedMs: 60_000 }, { expectedMs: 61_000 }],
    ['the higher priority', { priority: 9 }, { priority: 8 }],
    ['who used less', { tenantId: 'b' }, { tenantId: 'a' }],
    ['the long one that has waited long enough', { expectedMs: 9 * DAY }, { enqueuedMs: 4 * DAY }],
  ])('%s goes first', (_who, first, second) => {
    const queue = queueOf([task('second', second), task('first', first)]);
    expect(idsInOrder(queue, useIn({ a: 1 }))).toEqual(['first', 'second']);
  });

  test('is that of sorting everything by rank and set-back', () => {
    fc.assert(
      fc.property(anyTasks, anyUse, (tasks, use) => {
        const due = (each: WaitingTask) =>
          rankMs(each, defaultQueueOrder) + setBackMs(useIn(use)(each.tenantId), defaultQueueOrder);
        const sorted = [...tasks].sort((x, y) => due(x) - due(y));
        expect(idsInOrder(queueOf(tasks), useIn(use))).toEqual(sorted.map(({ taskId }) => taskId));
      }),
    );
  });

  test('nobody who queues later than the bound is ever ahead, whoever used what', () => {
    fc.assert(
      fc.property(anyTasks, anyUse, (tasks, use) => {
        const inOrder = idsInOrder(queueOf(tasks), useIn(use)).map(id => tasks.find(t => t.taskId === id)!);
        for (const [place, behind] of inOrder.entries()) {
          for (const ahead of inOrder.slice(0, place)) {
            expect(ahead.enqueuedMs - behind.enqueuedMs).toBeLessThanOrEqual(
              overtakingMaxMs(defaultQueueOrder),
            );
          }
        }
      }),
    );
  });
});

describe('a walk', () => {
  test('a tenant that is given something on the way is set back on the way', () => {
    const tasks = ['a1', 'a2', 'b1', 'b2'].map((id, index) =>
      task(id, { tenantId: id[0]!, enqueuedMs: index }),
    );
    const given: Record<string, number> = { a: 0, b: 0 };
    const walk = queueOf(tasks).walk(useIn(given));
    const met: string[] = [];
    for (let next = walk.next(); next; next = walk.next()) {
      met.push(next.taskId);
      given[next.tenantId]! += 1;
    }
    expect(met).toEqual(['a1', 'b1', 'a2', 'b2']);
  });

  test('leaves out what remains of a class', () => {
    const classes = ['one', 'two', 'one', 'two'];
    const walk = queueOf(classes.map((classKey, at) => task(`t${at}`, { classKey, enqueuedMs: at }))).walk(
      unused,
    );
    expect(walk.next()?.taskId).toBe('t0');
    walk.leaveOut('one');
    expect([walk.next()?.taskId, walk.next()?.taskId, walk.next()]).toEqual(['t1', 't3', undefined]);
  });
});

describe('entering and leaving', () => {
  test('a task waits once', () => {
    const queue = queueOf([task('t')]);
    expect([queue.add(task('t')), queue.size, queue.has('t')]).toEqual(['exists', 1, true]);
  });

  test('no more wait than the limit', () => {
    const queue = new TaskQueue<WaitingTask>(arrivalOrder, { tasksMax: 1 });
    expect([queue.add(task('t')), queue.add(task('u')), queue.size]).toEqual(['added', 'full', 1]);
  });

  test('who leaves is not met, and the order of the rest stays', () => {
    fc.assert(
      fc.property(anyTasks, fc.infiniteStream(fc.boolean()), (tasks, leaves) => {
        const queue = queueOf(tasks);
        const before = idsInOrder(queue);
        const left = new Set(before.filter(() => leaves.next().value));
        for (const taskId of left) expect(queue.remove(taskId)).toBe(true);
        expect(idsInOrder(queue)).toEqual(before.filter(id => !left.has(id)));
        expect(queue.size).toBe(before.length - left.size);
      }),
    );
  });

  test('who does not wait cannot leave', () => expect(queueOf([]).remove('t')).toBe(false));

  test('tenants and classes whose names run together are kept apart', () => {
    const queue = queueOf([
      task('t', { tenantId: 'ab', classKey: 'c' }),
      task('u', { tenantId: 'a', classKey: 'bc' }),
    ]);
    const walk = queue.walk(unused);
    walk.leaveOut('c');
    expect([walk.next()?.taskId, walk.next()]).toEqual(['u', undefined]);
  });

  test.each<[string, Partial<WaitingTask>]>([
    ['priority', { priority: 10 }],
    ['priority', { priority: -1 }],
    ['priority', { priority: 1.5 }],
    ['expectedMs', { expectedMs: -1 }],
    ['expectedMs', { expectedMs: NaN }],
    ['enqueuedMs', { enqueuedMs: Infinity }],
  ])('a bad %s is refused by name', (field, fields) =>
    expect(() => queueOf([task('t', fields)])).toThrow(new RegExp(`^${field}:`)),
  );
});
