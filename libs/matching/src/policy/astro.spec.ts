import { describe, expect, test } from '@jest/globals';
import { loadLinearSolver } from '@astro/solver/highs';
import fc from 'fast-check';
import type { Demand } from '../engine/demand.js';
import { astro } from './astro.js';
import { learnPlacementValues, type PlacementValues } from './learning/placement-values.js';
import { demandOf, shapeOf, stateOf } from './market.fixture.js';

const solver = await loadLinearSolver();
const node = shapeOf(32, 4);
const any = demandOf(1, 1);

/** One scenario in which each demand is worth so much. */
function known(worths: readonly (readonly [Demand, number])[], scarcity?: number[]): PlacementValues {
  const worth = Float64Array.from(worths, ([, units]) => units);
  return {
    demands: worths.map(([demand]) => demand),
    scenarios: [{ weight: 1, worth, isPresent: new Uint8Array(worths.length).fill(1) }],
    typical: [],
    scarcity: Float64Array.from(scarcity ?? worths.map(() => 0)),
  };
}

/** What stands free on one node counts 0.003 of its square for each unit of the node. */
const together = (units: number) => (0.003 * units * units) / 4;

describe('the value of free capacity', () => {
  const half = demandOf(4, 1, 500);
  const valueOf = (values: PlacementValues, freeVcpu: number, freeShares: number[], shape = node) =>
    astro(values).potential(stateOf(shape, freeVcpu, freeShares));

  test('is what the free parts can host, each part for itself', () => {
    const values = known([[half, 0.4]]);
    expect(valueOf(values, 32, [1000, 500, 499, 0])).toBeCloseTo(3 * 0.4 + together(1.999), 9);
  });

  test('is bounded by the CPU: ten vCPU host two and a half requests for four', () => {
    const values = known([[half, 0.4]]);
    // The price of CPU at which the bound is least makes the request worth nothing: 0.4 for 4 vCPU.
    expect(valueOf(values, 10, [1000, 1000, 1000, 1000])).toBeCloseTo(10 * 0.1 + together(4), 9);
  });

  test('counts a request for several whole units by its part of each', () => {
    const values = known([[demandOf(0, 4), 2]]);
    expect(valueOf(values, 32, [1000, 1000, 999, 0])).toBeCloseTo(2 * (2 / 4) + together(2.999), 9);
  });

  test('leaves out what a node of the shape could never run', () => {
    const values = known([
      [demandOf(33, 1), 1],
      [demandOf(0, 1, 1000, ['B']), 1],
      [demandOf(0, 5), 5],
    ]);
    expect(valueOf(values, 32, [1000, 1000, 1000, 1000])).toBeCloseTo(together(4), 9);
  });

  test('is more for units that requests ask for by their model', () => {
    const onA = demandOf(0, 1, 1000, ['A']);
    const values = known([[onA, 0]], [0.7]);
    expect(valueOf(values, 32, [1000, 0, 0, 0])).toBeCloseTo(0.03 * 0.7 + together(1), 9);
    expect(valueOf(values, 32, [1000, 0, 0, 0], shapeOf(32, 4, 'B'))).toBeCloseTo(together(1), 9);
  });

  test('counts the copies of typical requests, as far as the CPU goes', () => {
    const values = { ...known([]), typical: [{ demand: half, probability: 0.5 }] };
    expect(valueOf(values, 32, [1000, 500, 400, 0]) - together(1.9)).toBeCloseTo(0.03 * 0.5 * 0.5 * 3, 9);
    expect(valueOf(values, 7, [1000, 500, 400, 0]) - together(1.9)).toBeCloseTo(0.03 * 0.5 * 0.5 * 1, 9);
  });
});

describe('the score', () => {
  test('of equal gains is higher on the fuller node, and a gain counts for more than that', () => {
    const { score } = astro(known([]));
    const [fuller, emptier] = [stateOf(node, 4, [0, 0, 0, 500]), stateOf(node, 32, [1000, 1000, 1000, 1000])];
    expect(score(-0.5, any, fuller)).toBeGreaterThan(score(-0.5, any, emptier));
    expect(score(-0.5 + 1e-9, any, emptier)).toBe(score(-0.5, any, emptier));
    expect(score(-0.499998, any, emptier)).toBeGreaterThan(score(-0.5, any, fuller));
  });
});

describe('learning', () => {
  const [large, small, whole] = [demandOf(4, 1, 700), demandOf(2, 1, 250), demandOf(8, 1)];
  const mix = [
    { demand: large, rate: 50 },
    { demand: small, rate: 20 },
    { demand: whole, rate: 30 },
    { demand: demandOf(2, 0), rate: 40 },
  ];
  const fleet = [
    { shape: node, count: 40 },
    { shape: shapeOf(96, 2, 'B'), count: 20 },
  ];

  test('gives the same values for the same arguments, whatever the unit of the rates', () => {
    const values = learnPlacementValues(solver, fleet, mix, 1);
    expect(learnPlacementValues(solver, fleet, mix, 1)).toEqual(values);
    const scaled = mix.map(({ demand, rate }) => ({ demand, rate: rate * 8 }));
    expect(learnPlacementValues(solver, fleet, scaled, 1).scenarios).toEqual(values.scenarios);
    expect(learnPlacementValues(solver, fleet, mix, 2)).not.toEqual(values);
  });

  test('makes a small request fill what a large one leaves rather than open a unit', () => {
    const { potential } = astro(learnPlacementValues(solver, fleet, mix, 1));
    const gain = (before: number[], after: number[]) =>
      potential(stateOf(node, 30, after)) - potential(stateOf(node, 32, before));
    expect(gain([300, 1000, 1000, 1000], [50, 1000, 1000, 1000])).toBeGreaterThan(
      gain([300, 1000, 1000, 1000], [300, 750, 1000, 1000]),
    );
  });

  test('knows nothing of a pool where nothing arrives, and then packs what is free together', () => {
    for (const arrivals of [[], [{ demand: demandOf(2, 0), rate: 1 }]]) {
      const { potential } = astro(learnPlacementValues(solver, fleet, arrivals, 1));
      expect(potential(stateOf(node, 8, [1000, 1000, 0, 0]))).toBeCloseTo(together(2), 9);
    }
  });

  test('never values less capacity more', () => {
    const { potential } = astro(learnPlacementValues(solver, fleet, mix, 1));
    const share = fc.integer({ min: 0, max: 1000 });
    const shares = fc.tuple(share, share, share, share);
    fc.assert(
      fc.property(shares, shares, fc.nat(32), fc.nat(32), (one, other, vcpu, lost) => {
        const less = one.map((free, unit) => Math.min(free, other[unit]!));
        const more = potential(stateOf(node, vcpu, [...one]));
        expect(potential(stateOf(node, Math.max(0, vcpu - lost), less))).toBeLessThanOrEqual(more + 1e-9);
      }),
    );
  });
});
