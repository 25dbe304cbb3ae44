import { expect, test } from '@jest/globals';
import { PositionWatch } from './position-watch.js';

const MUCH_MS = 60_000;

test('all that wait are told as the read model gets there, and it is asked once for them', async () => {
  let [position, asked] = [0, 0];
  const watch = new PositionWatch(() => {
    asked += 1;
    return Promise.resolve((position += 1));
  });
  const order: number[] = [];
  const waiting = [3, 1, 2, 3].map(async wanted => {
    expect(await watch.includes('a.b', wanted, MUCH_MS)).toBe(true);
    order.push(wanted);
  });
  await Promise.all(waiting);
  expect([order, asked]).toEqual([[1, 2, 3, 3], 3]);
  expect(await watch.includes('a.b', 4, MUCH_MS)).toBe(true);
});

test('who waits too long is told that it is not there', async () => {
  const watch = new PositionWatch(() => Promise.resolve(0));
  expect(await watch.includes('a.b', 1, 30)).toBe(false);
  expect(await watch.includes('a.b', 0, 0)).toBe(true);
});

test('what reading throws ends the waiting of all, and not that of those who come later', async () => {
  let fails = true;
  const watch = new PositionWatch(() => (fails ? Promise.reject(new Error('away')) : Promise.resolve(1)));
  const waiting = [1, 1].map(position => watch.includes('a.b', position, MUCH_MS));
  for (const { status } of await Promise.allSettled(waiting)) expect(status).toBe('rejected');
  fails = false;
  expect(await watch.includes('a.b', 1, MUCH_MS)).toBe(true);
});
