import { describe, expect, test } from '@jest/globals';
import { demandOf } from '../market.fixture.js';
import { ArrivalMix } from './arrival-mix.js';

const [one, two, three] = [demandOf(1, 1), demandOf(2, 1), demandOf(3, 1)];
const ratesOf = (mix: ArrivalMix) =>
  Object.fromEntries(mix.rates().map(({ demand, rate }) => [demand.cpuMillis / 1000, rate]));

describe('the mix of arrivals', () => {
  test('counts each demand, whichever object names it', () => {
    const mix = new ArrivalMix({ halfLifeArrivals: 1e9, demandsMax: 10 });
    for (const demand of [one, two, { ...one, id: 99 }]) mix.arrived(demand);
    expect(ratesOf(mix)).toEqual({ 1: expect.closeTo(2, 6), 2: expect.closeTo(1, 6) });
  });

  test('forgets: after a half-life of other arrivals a demand counts half', () => {
    const mix = new ArrivalMix({ halfLifeArrivals: 100, demandsMax: 10 });
    mix.arrived(one);
    for (let arrival = 0; arrival < 100; arrival++) mix.arrived(two);
    expect(ratesOf(mix)[1]).toBeCloseTo(0.5, 9);
  });

  test('keeps its precision over many half-lives', () => {
    const mix = new ArrivalMix({ halfLifeArrivals: 1, demandsMax: 10 });
    for (let arrival = 0; arrival < 10_000; arrival++) mix.arrived(arrival % 2 === 0 ? one : two);
    // 1/2 + 1/8 + 1/32 … against 1 + 1/4 + 1/16 …
    expect(ratesOf(mix)).toEqual({ 1: expect.closeTo(2 / 3, 9), 2: expect.closeTo(4 / 3, 9) });
  });

  test('counts requests that come together as it counts them one by one, but none as older', () => {
    const mix = new ArrivalMix({ halfLifeArrivals: 100, demandsMax: 10 });
    mix.arrived(one, 8);
    mix.arrived(two, 200);
    expect(ratesOf(mix)).toEqual({ 1: expect.closeTo(2, 9), 2: expect.closeTo(200, 9) });
    mix.arrived(one, 1e6);
    expect(ratesOf(mix)).toEqual({ 1: expect.closeTo(1e6, 9), 2: expect.closeTo(0, 9) });
  });

  test('goes on from its record as if nothing had been', () => {
    const options = { halfLifeArrivals: 3, demandsMax: 2 };
    const mix = new ArrivalMix(options, [{ demand: two, rate: 3 }]);
    mix.arrived(one, 2);
    const restored = ArrivalMix.from(structuredClone(mix.record()), options);
    for (const each of [mix, restored]) {
      each.arrived(three, 200);
      each.arrived(two);
    }
    expect(restored.record()).toEqual(mix.record());
  });

  test('is bounded: the demand with the least weight gives way', () => {
    const mix = new ArrivalMix({ halfLifeArrivals: 1e9, demandsMax: 2 });
    for (const demand of [one, one, two, three]) mix.arrived(demand);
    expect(Object.keys(ratesOf(mix))).toEqual(['1', '3']);
  });

  test('begins with what is believed before', () => {
    const mix = new ArrivalMix({ halfLifeArrivals: 1e9, demandsMax: 10 }, [{ demand: one, rate: 7 }]);
    mix.arrived(one);
    expect(ratesOf(mix)).toEqual({ 1: expect.closeTo(8, 6) });
  });

  test.each([
    [{ halfLifeArrivals: 0, demandsMax: 1 }, 'halfLifeArrivals: 0'],
    [{ halfLifeArrivals: NaN, demandsMax: 1 }, 'halfLifeArrivals: NaN'],
    [{ halfLifeArrivals: 1, demandsMax: 0 }, 'demandsMax: 0'],
  ])('refuses %j', (options, message) => {
    expect(() => new ArrivalMix(options)).toThrow(message);
  });
});
