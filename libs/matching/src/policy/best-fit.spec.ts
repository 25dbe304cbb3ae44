import { expect, test } from '@jest/globals';
import { bestFit } from './best-fit.js';
import { demandOf, shapeOf, stateOf } from './market.fixture.js';

test('BestFit scores what is left: half of it the CPU of 128, half the units of 8', () => {
  const [demand, node] = [demandOf(8, 1), shapeOf(64, 4)];
  const before = stateOf(node, 64, [1000, 1000, 1000, 1000]);
  // 100 · (1 − 0.5 · 56/128 − 0.5 · 3/8) = 59.375
  expect(bestFit.score(demand, before, stateOf(node, 56, [0, 1000, 1000, 1000]))).toBe(59);
  expect(bestFit.score(demand, before, stateOf(node, 0, [0, 0, 0, 0]))).toBe(100);
});
