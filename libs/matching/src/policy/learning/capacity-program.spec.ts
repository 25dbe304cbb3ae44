import { describe, expect, test } from '@jest/globals';
import { loadLinearSolver } from '@astro/solver/highs';
import { demandOf, shapeOf } from '../market.fixture.js';
import { CapacityProgram } from './capacity-program.js';

const solver = await loadLinearSolver();

function pricesOf(
  fleet: ConstructorParameters<typeof CapacityProgram>[1],
  demands: ConstructorParameters<typeof CapacityProgram>[2],
  requests: number[],
): number[] {
  const program = new CapacityProgram(solver, fleet, demands);
  try {
    return [...program.pricesOf(requests)].map(price => Number(price.toFixed(6)));
  } finally {
    program.dispose();
  }
}

describe('the price of a demand', () => {
  const [whole, small, large] = [demandOf(1, 1), demandOf(1, 1, 300), demandOf(1, 1, 700)];
  const fleet = [{ shape: shapeOf(64, 8), count: 1 }];

  test('is what it asks for where there is room for all', () => {
    expect(pricesOf(fleet, [whole, small], [2, 3])).toEqual([1, 0.3]);
  });

  test('is 0 where its requests are more than fit', () => {
    expect(pricesOf(fleet, [whole], [9])).toEqual([0]);
  });

  test('is all that it asks for where it fills what the others leave', () => {
    // Eight units hold eight of the nine large ones, and the parts that these leave hold more small ones.
    expect(pricesOf(fleet, [large, small], [9, 2])).toEqual([0, 0.3]);
  });

  test('is found with patterns of several demands: 700 and 300 share a unit', () => {
    // With a unit for seven large ones each and no sharing, eight small ones would be more than the last unit holds.
    expect(pricesOf(fleet, [large, small], [7, 8])).toEqual([0.7, 0.3]);
  });

  test('counts the CPU: where it is short, the request that needs less of it is worth more', () => {
    const [hungry, modest] = [demandOf(32, 1), demandOf(4, 1)];
    // Six modest ones leave CPU for 1.25 hungry ones: a vCPU is worth a 32nd of a unit, and units are left over.
    expect(pricesOf(fleet, [hungry, modest], [8, 6])).toEqual([0, 1 - 4 / 32]);
  });

  test('leaves to others the CPU that requests for CPU alone do not take: those are served first', () => {
    const [alone, modest] = [demandOf(8, 0), demandOf(8, 1)];
    expect(pricesOf(fleet, [alone, modest], [0, 4])[1]).toBe(1);
    expect(pricesOf(fleet, [alone, modest], [8, 4])[1]).toBe(0);
  });

  test('is 0 for a demand that no node of the fleet suits', () => {
    expect(pricesOf(fleet, [demandOf(1, 1, 1000, ['B']), whole], [5, 2])).toEqual([0, 1]);
  });
});
