import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { defaultDurationRules, DurationHistory } from './duration-history.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const groups = ['all', 'gpus 8', 'a gpus 8'];
const taught = (durationsMs: readonly number[], keys = groups, rules = defaultDurationRules) => {
  const history = new DurationHistory(rules);
  for (const durationMs of durationsMs) history.learn(keys, durationMs);
  return history;
};
const times = (count: number, durationMs: number) => Array.from({ length: count }, () => durationMs);

describe('learning', () => {
  test('before anything has ended the prior is believed', () => {
    const forecast = taught([]).forecast(groups);
    expect(forecast.meanMs).toBe(defaultDurationRules.priorMs);
    expect(forecast.quantileMs(0.5) / defaultDurationRules.priorMs).toBeCloseTo(1, 0);
  });

  test('after many alike the mean is theirs, and so are the quantiles within a bin', () => {
    const forecast = taught(times(300, 10 * MINUTE)).forecast(groups);
    expect(forecast.meanMs / (10 * MINUTE)).toBeCloseTo(1, 2);
    for (const quantile of [0.1, 0.5, 0.9]) {
      expect(Math.abs(Math.log2(forecast.quantileMs(quantile) / (10 * MINUTE)))).toBeLessThan(0.3);
    }
  });

  test('what ended lately counts most', () => {
    const forecast = taught([...times(200, 10 * HOUR), ...times(60, MINUTE)]).forecast(groups);
    expect(forecast.meanMs).toBeLessThan(2.5 * HOUR);
    expect(forecast.quantileMs(0.5)).toBeLessThan(2 * MINUTE);
  });

  test('an unknown tenant is believed to be like others of the size', () => {
    const history = taught(times(100, 5 * HOUR));
    expect(history.forecast(['all', 'gpus 8', 'new gpus 8']).meanMs / (5 * HOUR)).toBeCloseTo(1, 1);
  });

  test('one sample moves a finer group only a little, many move it wholly', () => {
    const history = taught(times(100, HOUR), ['all']);
    history.learn(['b'], 100 * HOUR);
    const afterOne = history.forecast(['all', 'b']).meanMs;
    for (let count = 0; count < 100; count++) history.learn(['b'], 100 * HOUR);
    expect(afterOne).toBeLessThan(30 * HOUR);
    expect(history.forecast(['all', 'b']).meanMs).toBeGreaterThan(85 * HOUR);
  });

  test('the group that was taught longest ago is forgotten beyond the limit', () => {
    const history = taught([], [], { ...defaultDurationRules, groupsMax: 2 });
    for (const key of ['a', 'b', 'a', 'c']) history.learn([key], 100 * HOUR);
    expect(history.forecast(['b']).meanMs).toBe(HOUR);
    expect(history.forecast(['a']).meanMs).toBeGreaterThan(HOUR);
  });

  test.each([-1, NaN, Infinity])('the duration %d is refused', durationMs =>
    expect(() => taught([durationMs])).toThrow(/^durationMs:/),
  );

  test('a rule that is not above zero is refused by name', () =>
    expect(() => taught([], [], { ...defaultDurationRules, memoryTasks: 0 })).toThrow(/^memoryTasks:/));
});

describe('a forecast', () => {
  const anyDurations = fc.array(fc.integer({ min: 0, max: 400 * 24 * HOUR }), { maxLength: 40 });
  const anyShare = fc.double({ min: 0.01, max: 0.99, noNaN: true });
  const anyElapsed = fc.integer({ min: 0, max: 800 * 24 * HOUR });

  test('never expects less than has already passed, nor less of a higher quantile', () => {
    fc.assert(
      fc.property(anyDurations, anyShare, anyShare, anyElapsed, (durations, p, q, elapsedMs) => {
        const forecast = taught(durations).forecast(groups);
        const [low, high] = [Math.min(p, q), Math.max(p, q)];
        expect(forecast.quantileMs(low, elapsedMs)).toBeGreaterThanOrEqual(elapsedMs);
        expect(forecast.quantileMs(high, elapsedMs)).toBeGreaterThanOrEqual(
          forecast.quantileMs(low, elapsedMs) * (1 - 1e-9),
        );
      }),
    );
  });

  test('of those that outlived the short half, half outlive the middle of the long half', () => {
    const durations = Array.from({ length: 400 }, (_, index) => (index % 2 ? MINUTE : 10 * HOUR));
    const forecast = taught(durations).forecast(groups);
    expect(forecast.quantileMs(0.4)).toBeLessThan(2 * MINUTE);
    expect(forecast.quantileMs(0.4, 10 * MINUTE) / (10 * HOUR)).toBeGreaterThan(0.7);
  });

  test('what has outlived everything known goes on for half of its age', () => {
    const forecast = taught(times(10, MINUTE)).forecast(groups);
    expect(forecast.quantileMs(0.5, 365 * 24 * HOUR)).toBeCloseTo(1.5 * 365 * 24 * HOUR, -7);
  });

  test.each([0, 1, -1, NaN])('the quantile %d is refused', quantile =>
    expect(() => taught([]).forecast([]).quantileMs(quantile)).toThrow(/^quantile:/),
  );
});
