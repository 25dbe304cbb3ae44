import { expect, test } from '@jest/globals';
import { maxCostAtto } from './cost.js';

const spec = (tasks: number, quorum: number, timeLimitMs: number, maxPricePerSecondAtto: bigint) => ({
  program: { timeLimitMs },
  requirements: { maxPricePerSecondAtto },
  tasks: Array.from({ length: tasks }, () => ({})),
  quorum,
});

test.each([
  [spec(1, 1, 1000, 7n), 7n],
  [spec(3, 2, 60_000, 10n ** 15n), 36n * 10n ** 16n],
  [spec(2, 2, 1, 1n), 4n], // each replica is rounded up, as each is charged on its own
  [spec(1000, 5, 3_600_000, 10n ** 30n), 5000n * 3600n * 10n ** 30n],
  [spec(4, 2, 1500, 0n), 0n],
])('case %#: every replica at its time limit and the price cap', (priced, cost) =>
  expect(maxCostAtto(priced)).toBe(cost),
);
