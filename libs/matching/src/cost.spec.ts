import { expect, test } from '@jest/globals';
import { maxCostAtto, transferAtto, usedAtto } from './cost.js';

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

const GIB = 2 ** 30;
test.each([
  [0, 5n, 0n],
  [1, 1n, 1n], // rounded up, as time is
  [GIB, 5n, 5n],
  [GIB + 1, 5n, 6n],
  [GIB / 2, 10n ** 18n, 10n ** 18n / 2n],
])('moving %d bytes at %d a GiB costs %d', (bytes, price, cost) =>
  expect(transferAtto(bytes, price)).toBe(cost),
);

test('the most includes what every replica may move: all its inputs, and as much output as it may have', () => {
  const plain = spec(2, 3, 1_000, 7n);
  const transferring = {
    ...plain,
    program: { ...plain.program, outputLimitBytes: GIB },
    requirements: { ...plain.requirements, maxPricePerGibTransferredAtto: 10n },
    inputSizes: { taskBytes: [GIB, 3 * GIB] },
  };
  expect(maxCostAtto(transferring)).toBe(maxCostAtto(plain) + 3n * (20n + 40n));
});

test('a use costs its time and its transfer, each rounded up', () =>
  expect(
    usedAtto({
      ...{ meteredMs: 1, pricePerSecondAtto: 1n, pricePerGibTransferredAtto: 1n },
      transferred: { fetchedBytes: 1, uploadedBytes: 1 },
    }),
  ).toBe(2n));
