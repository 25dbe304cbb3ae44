import { expect, test } from '@jest/globals';
import { interruptibleAskAtto } from './asks.js';

test.each<[string, bigint, bigint | undefined, bigint]>([
  ['is half of the price on demand, where nothing is said', 40n, undefined, 20n],
  ['rounded up, so that it is never nothing', 1n, undefined, 1n],
  ['is what its operator says', 40n, 7n, 7n],
  ['is never above the price on demand, which may have fallen below it', 40n, 41n, 40n],
])('what is asked of interruptible work %s', (_title, pricePerSecondAtto, interruptible, askAtto) =>
  expect(
    interruptibleAskAtto({
      pricePerSecondAtto,
      ...(interruptible !== undefined && { interruptiblePricePerSecondAtto: interruptible }),
    }),
  ).toBe(askAtto),
);
