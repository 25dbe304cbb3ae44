import { describe, expect, test } from '@jest/globals';
import { fgd } from './fgd.js';
import { fragmentation, typicalDemands } from './fragmentation.js';
import { demandOf, shapeOf, stateOf } from './market.fixture.js';

const [half, whole, cpuOnly] = [demandOf(4, 1, 500), demandOf(8, 1), demandOf(2, 0)];
const node = shapeOf(16, 2);

describe('typical demands', () => {
  test('are the most frequent that make 95 %, with their probabilities among themselves', () => {
    const mix = [
      { demand: cpuOnly, rate: 5 },
      { demand: half, rate: 60 },
      { demand: whole, rate: 35 },
    ];
    expect(typicalDemands(mix)).toEqual([
      { demand: half, probability: 60 / 95 },
      { demand: whole, probability: 35 / 95 },
    ]);
  });
});

describe('fragmentation', () => {
  const of = fragmentation([
    { demand: half, probability: 0.5 },
    { demand: whole, probability: 0.3 },
    { demand: cpuOnly, probability: 0.2 },
  ]);

  test('of an empty node is what requests without a unit cannot use', () => {
    expect(of(stateOf(node, 16, [1000, 1000]))).toBeCloseTo(0.2 * 2000, 9);
  });

  test('counts the parts that are too small for the request', () => {
    // The half uses 500 of 700 idle: both parts that fit it; the whole nothing.
    expect(of(stateOf(node, 16, [200, 500]))).toBeCloseTo(0.5 * 200 + 0.3 * 700 + 0.2 * 700, 9);
  });

  test('counts everything where the CPU is short', () => {
    expect(of(stateOf(node, 5, [1000, 1000]))).toBeCloseTo(0.5 * 0 + 0.3 * 2000 + 0.2 * 2000, 9);
  });

  test('counts everything where the model is not allowed', () => {
    const onB = fragmentation([{ demand: demandOf(1, 1, 1000, ['B']), probability: 1 }]);
    expect(onB(stateOf(node, 16, [1000, 1000]))).toBe(2000);
    expect(onB(stateOf(shapeOf(16, 2, 'B'), 16, [1000, 1000]))).toBe(0);
  });
});

describe('the score of FGD', () => {
  const policy = fgd([{ demand: half, rate: 1 }]);
  const gain = (before: number[], after: number[]) =>
    policy.potential(stateOf(node, 12, after)) - policy.potential(stateOf(node, 16, before));

  test('is the integer part of a hundredfold sigmoid of the fragmentation that it avoids, in devices', () => {
    // 300 left of a device are of no use to a half; taking the same of a used device leaves nothing unusable more.
    expect(policy.score(gain([1000, 1000], [300, 1000]), half, stateOf(node, 16, [1000, 1000]))).toBe(
      Math.floor(100 / (1 + Math.exp(0.3))),
    );
    expect(policy.score(gain([300, 1000], [0, 1000]), half, stateOf(node, 16, [300, 1000]))).toBe(
      Math.floor(100 / (1 + Math.exp(-0.3))),
    );
    expect(policy.score(0, half, stateOf(node, 16, [1000, 1000]))).toBe(50);
  });
});
