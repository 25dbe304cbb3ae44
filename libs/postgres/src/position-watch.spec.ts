import { expect, test } from '@jest/globals';
import { PositionWatch } from './position-watch.js';

/** A table whose position moves by one each time that somebody looks. */
function moving(from = 0) {
  const looks: string[] = [];
  const watch = new PositionWatch(name => {
    looks.push(name);
    return Promise.resolve(from + looks.length);
  });
  return { watch, looks };
}

test('who waits for less hears first, and a thousand look as often as one', async () => {
  const { watch, looks } = moving();
  const heard: number[] = [];
  const wait = async (position: number) => {
    expect(await watch.reached('registry.nodes', position, 60_000)).toBe(true);
    heard.push(position);
  };
  await Promise.all([...Array.from({ length: 1_000 }, () => wait(3)), wait(1), wait(2)]);
  expect(heard.slice(0, 3)).toEqual([1, 2, 3]);
  expect(looks).toEqual(['registry.nodes', 'registry.nodes', 'registry.nodes']);
});

test('who waits while another already does is looked at too, and one who comes later begins anew', async () => {
  const { watch, looks } = moving();
  const first = watch.reached('registry.nodes', 2, 60_000);
  const second = watch.reached('registry.nodes', 4, 60_000);
  expect([await first, await second]).toEqual([true, true]);
  expect(looks).toHaveLength(4);
  expect(await watch.reached('registry.nodes', 5, 60_000)).toBe(true);
  expect(looks).toHaveLength(5);
});

test('each projection is looked at by itself', async () => {
  const { watch, looks } = moving();
  await Promise.all([watch.reached('registry.nodes', 1, 60_000), watch.reached('billing.ledger', 1, 60_000)]);
  expect(looks).toEqual(['registry.nodes', 'billing.ledger']);
});

test('what is not reached in time is not waited for, though it is looked at once', async () => {
  const { watch, looks } = moving();
  expect(await watch.reached('registry.nodes', 1, 0)).toBe(true);
  expect(await watch.reached('registry.nodes', 1_000, 0)).toBe(false);
  expect(looks).toHaveLength(2);
  const patient = watch.reached('registry.nodes', 5, 60_000);
  expect(await watch.reached('registry.nodes', 1_000, 1)).toBe(false);
  expect(await patient).toBe(true);
});

test('an error is everybody’s who waited for that look, and nobody’s after it', async () => {
  let isAway = true;
  const watch = new PositionWatch(() => (isAway ? Promise.reject(new Error('away')) : Promise.resolve(9)));
  const waits = [watch.reached('registry.nodes', 1, 60_000), watch.reached('registry.nodes', 2, 60_000)];
  for (const wait of waits) await expect(wait).rejects.toThrow('away');
  isAway = false;
  expect(await watch.reached('registry.nodes', 9, 60_000)).toBe(true);
});
