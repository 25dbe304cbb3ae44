import { expect, test } from '@jest/globals';
import { Slots } from './slots.js';

test('no more than the limit are taken, and one that is given back can be taken again', () => {
  const slots = new Slots(2);
  const first = slots.take();
  expect([first, slots.take(), slots.take()]).toEqual([
    expect.any(Function),
    expect.any(Function),
    undefined,
  ]);
  first?.();
  first?.();
  expect([slots.take(), slots.take()]).toEqual([expect.any(Function), undefined]);
});
