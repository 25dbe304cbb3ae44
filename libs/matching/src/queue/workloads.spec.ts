import { expect, test } from '@jest/globals';
import { admit, defaultAdmissionRules, type Reservation, type Room } from './admit.js';
import { arrayOutcome, indicesToBegin, notBegun, type ArrayProgress } from './array-job.js';
import { defaultQueueOrder } from './queue-order.js';
import { initialScale, scaleService } from './replicas.js';
import { TaskQueue, type WaitingTask } from './task-queue.js';

/** A pool that counts: so many tasks at once, and room for the next as soon as one ends. */
class Slots implements Room<WaitingTask, Reservation> {
  readonly running = new Map<string, number>();

  constructor(private readonly count: number) {}

  start({ taskId }: WaitingTask): boolean {
    if (this.running.size >= this.count) return false;
    this.running.set(taskId, 0);
    return true;
  }

  startBeside(): boolean {
    return false;
  }

  reserve(): Reservation {
    return { fromMs: 0 };
  }
}

const task = (taskId: string, tenantId: string, enqueuedMs: number): WaitingTask => ({
  taskId,
  tenantId,
  enqueuedMs,
  classKey: 'one',
  priority: 5,
  expectedMs: 1_000,
  demand: [1],
});

test('an array of one tenant and a service of another share a pool, and each keeps its own limits', () => {
  const room = new Slots(6);
  const queue = new TaskQueue<WaitingTask>(defaultQueueOrder, { tasksMax: 100 });
  const array = { size: 20, maxParallel: 4 };
  const bounds = { replicasMin: 1, replicasMax: 3, loadPerReplica: 10, tolerance: 0.1, coolDownMs: 5_000 };
  let progress: ArrayProgress = notBegun;
  let scale = initialScale(bounds);
  const loads = [5, 25, 25, 99, 25, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5];
  const replicasSeen: number[] = [];
  const namesLike = (prefix: string) => [...room.running.keys()].filter(id => id.startsWith(prefix));

  for (const [second, load] of loads.entries()) {
    const nowMs = second * 1_000;
    // Indices take one second each; replicas run until fewer are wanted.
    const ended = namesLike('index');
    for (const id of ended) room.running.delete(id);
    progress = { ...progress, succeeded: progress.succeeded + ended.length };

    const begun = indicesToBegin(array, progress);
    for (const index of begun) queue.add(task(`index ${index}`, 'batch', nowMs));
    progress = { ...progress, begun: progress.begun + begun.length };

    scale = scaleService(scale, { load, atMs: nowMs }, bounds);
    for (let replica = 0; replica < bounds.replicasMax; replica++) {
      const id = `replica ${replica}`;
      if (replica >= scale.replicas) room.running.delete(id);
      else if (!room.running.has(id)) queue.add(task(id, 'service', nowMs));
    }
    const { started } = admit({
      walk: queue.walk(tenantId => namesLike(tenantId === 'batch' ? 'index' : 'replica').length / 3),
      room,
      nowMs,
      upperMs: () => 1_000,
      onStart: () => undefined,
      promised: undefined,
      rules: defaultAdmissionRules,
    });
    for (const { taskId } of started) queue.remove(taskId);
    expect(namesLike('index').length).toBeLessThanOrEqual(array.maxParallel);
    expect(room.running.size).toBeLessThanOrEqual(6);
    replicasSeen.push(namesLike('replica').length);
  }
  expect(arrayOutcome(array, progress)).toBe('succeeded');
  // Three with the load, and one only when it has been low for the whole cool-down.
  expect(replicasSeen).toEqual([1, 3, 3, 3, 3, 3, 3, 3, 3, 3, 1, 1, 1, 1, 1]);
});
