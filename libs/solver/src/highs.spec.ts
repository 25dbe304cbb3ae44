import { describe, expect, test } from '@jest/globals';
import { loadLinearSolver } from './highs.js';

const solver = await loadLinearSolver();

/** Two products of two materials; the best is 20 of the first and 10 of the second. */
function workshop() {
  const program = solver.program(2);
  program.limitRow(0, 40);
  program.limitRow(1, 50);
  program.addColumn(30, [0, 1], [1, 2]);
  program.addColumn(50, [0, 1], [2, 1]);
  return program;
}

describe('a linear program', () => {
  test('has the price of each row: 30 = a + 2b and 50 = 2a + b', () => {
    const { objective, rowPrices } = workshop().solve();
    expect(objective).toBeCloseTo(1100, 9);
    expect(rowPrices[0]).toBeCloseTo(70 / 3, 9);
    expect(rowPrices[1]).toBeCloseTo(10 / 3, 9);
  });

  test('grows by the price of a row for one more of its limit', () => {
    const program = workshop();
    const before = program.solve();
    program.limitRow(0, 41);
    expect(program.solve().objective - before.objective).toBeCloseTo(before.rowPrices[0]!, 9);
  });

  test('takes further columns into account and goes on from its last optimum', () => {
    const program = workshop();
    program.solve();
    program.addColumn(100, [0], [1]);
    const { objective, rowPrices } = program.solve();
    expect(objective).toBeCloseTo(4000, 9);
    expect([...rowPrices]).toEqual([100, 0]);
  });

  test('without an optimum is an error', () => {
    const program = solver.program(1);
    program.limitRow(0, 1);
    program.addColumn(1, [0], [-1]);
    expect(() => program.solve()).toThrow('instead of an optimum');
  });
});
