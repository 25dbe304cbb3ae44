import { expect, test } from '@jest/globals';
import { DemandTable } from '../../engine/demand.js';
import { ArrivalMix, defaultArrivalMix } from './arrival-mix.js';
import { priorMix } from './prior-mix.js';

test('the belief counts as fifty arrivals, with units and CPU alone, and gives way to what arrives', () => {
  const demands = new DemandTable();
  const belief = priorMix(demands);
  expect(belief.reduce((sum, { rate }) => sum + rate, 0)).toBe(50);
  expect(new Set(belief.map(({ demand }) => demand.unitCount))).toEqual(new Set([0, 1, 8]));
  const mix = new ArrivalMix(defaultArrivalMix, belief);
  const seen = demands.intern({ cpuMillis: 1000 });
  for (let arrival = 0; arrival < 5_000; arrival++) mix.arrived(seen);
  const rates = mix.rates();
  const all = rates.reduce((sum, { rate }) => sum + rate, 0);
  expect(rates.find(({ demand }) => demand === seen)!.rate / all).toBeGreaterThan(0.98);
});
