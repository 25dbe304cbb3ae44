import { describe, expect, test } from '@jest/globals';
import { silent } from '@astro/jetstream/log';
import { PressureWatch } from './pressure-watch.js';
import { nextToEvict, shortageOf, type Evictable, type Left } from './pressure.js';

const plenty: Left = { memoryMib: 4_000, diskMib: 4_000 };
const least: Left = { memoryMib: 1_000, diskMib: 2_000 };

describe('a host runs short', () => {
  test.each([
    ['of nothing', plenty, undefined],
    ['of nothing with just enough', least, undefined],
    ['of memory', { ...plenty, memoryMib: 999 }, 'memoryMib'],
    ['of disk', { ...plenty, diskMib: 1_999 }, 'diskMib'],
    ['of memory first', { memoryMib: 0, diskMib: 0 }, 'memoryMib'],
  ] as const)('%s', (_, left, shortage) => expect(shortageOf(left, least, undefined)).toBe(shortage));

  test('until it has a quarter more than it must', () => {
    expect(shortageOf({ ...plenty, memoryMib: 1_249 }, least, 'memoryMib')).toBe('memoryMib');
    expect(shortageOf({ ...plenty, memoryMib: 1_250 }, least, 'memoryMib')).toBeUndefined();
  });

  test('of nothing that its operator does not look at', () =>
    expect(
      shortageOf({ memoryMib: 0, diskMib: 0 }, { memoryMib: 0, diskMib: 0 }, undefined),
    ).toBeUndefined());
});

const lease = (leaseId: string, changes: Partial<Evictable> = {}): Evictable => ({
  ...{ leaseId, isInterruptible: false, canKeep: false, startedAtMs: 0 },
  ...changes,
});

describe('who goes first', () => {
  test('is who was told that it may happen, then who keeps its state, then who began last', () => {
    const leases = [
      lease('old'),
      lease('new', { startedAtMs: 2 }),
      lease('keeps', { canKeep: true }),
      lease('interruptible', { isInterruptible: true }),
      lease('interruptible and keeps', { isInterruptible: true, canKeep: true }),
    ];
    const order: string[] = [];
    for (let left = leases; left.length > 0;) {
      const next = nextToEvict(left)!;
      order.push(next.leaseId);
      left = left.filter(other => other !== next);
    }
    expect(order).toEqual(['interruptible and keeps', 'interruptible', 'keeps', 'new', 'old']);
  });

  test('is nobody where nothing runs', () => expect(nextToEvict([])).toBeUndefined());
});

describe('a node whose host runs short', () => {
  const watching = (leases: string[]) => {
    const host = { left: plenty };
    const done: string[] = [];
    const watch = new PressureWatch({
      left: () => Promise.resolve(host.left),
      least: () => Promise.resolve(least),
      evictable: () => leases.map(leaseId => lease(leaseId)),
      evict: leaseId => {
        done.push(`evict ${leaseId}`);
        leases.splice(leases.indexOf(leaseId), 1);
        return Promise.resolve();
      },
      log: silent,
    });
    const look = (seconds: number) =>
      watch.look(new Date(seconds * 1_000), () => {
        done.push(`offer ${watch.withheld.length === 0 ? 'all' : 'nothing'}`);
        return Promise.resolve();
      });
    return { host, done, watch, look };
  };

  test('does nothing while there is room', async () => {
    const { done, look } = watching(['one']);
    await look(0);
    expect(done).toEqual([]);
  });

  test('says that it takes nothing, then ends one lease at each look until there is room', async () => {
    const { host, done, look } = watching(['one', 'two', 'three']);
    host.left = { ...plenty, memoryMib: 10 };
    await look(0);
    await look(5);
    host.left = plenty;
    await look(10);
    await look(15);
    expect(done).toEqual(['offer nothing', 'evict one', 'evict two', 'offer all']);
  });

  test('says so again as long as it lasts, and not at each look', async () => {
    const { host, done, watch, look } = watching([]);
    host.left = { ...plenty, diskMib: 10 };
    for (let seconds = 0; seconds <= 600; seconds += 5) {
      await look(seconds);
      expect(watch.withheld[0]!.until.getTime()).toBeGreaterThan(seconds * 1_000);
    }
    expect(done).toEqual(['offer nothing', 'offer nothing']);
  });
});
