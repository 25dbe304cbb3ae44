import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { defaultDurationRules, DurationHistory } from './duration-history.js';
import { expectedStart, type Ahead } from './expected-start.js';
import { StartCalibration } from './start-calibration.js';

const MINUTE = 60_000;
const lasting = (durationsMs: readonly number[]) => {
  const history = new DurationHistory({ ...defaultDurationRules, priorMs: durationsMs[0]! });
  for (const durationMs of durationsMs) history.learn(['all'], durationMs);
  return history.forecast(['all']);
};
const tenMinutes = lasting(Array.from({ length: 100 }, () => 10 * MINUTE));
const idle: Ahead = { freeUnits: 0, running: [], waiting: [], moreWaiting: 0 };
const leases = (count: number, elapsedMs = 0) =>
  Array.from({ length: count }, () => ({ units: 1, elapsedMs, forecast: tenMinutes }));
const queued = (count: number, units = 1) =>
  Array.from({ length: count }, () => ({ units, forecast: tenMinutes }));
/** Bins are 19 % wide. */
const isAbout = (actualMs: number | undefined, expectedMs: number) =>
  expect(Math.abs(Math.log2(actualMs! / expectedMs))).toBeLessThan(0.3);

describe('when a task would start', () => {
  test('at once where there is room', () =>
    expect(expectedStart(2, { ...idle, freeUnits: 2 })).toEqual({ p50Ms: 0, p90Ms: 0 }));

  test('never where the pool is too small', () =>
    expect(expectedStart(4, { ...idle, freeUnits: 1, running: leases(2) })).toBeUndefined());

  test('when what runs has ended', () => {
    isAbout(expectedStart(1, { ...idle, running: leases(1) })?.p50Ms, 10 * MINUTE);
    isAbout(expectedStart(1, { ...idle, running: leases(1, 6 * MINUTE) })?.p50Ms, 4 * MINUTE);
  });

  test('after those in front of it, one after the other', () =>
    isAbout(expectedStart(1, { ...idle, running: leases(1), waiting: queued(5) })?.p50Ms, 60 * MINUTE));

  test('after those in front of it, as many at once as there is room for', () =>
    isAbout(expectedStart(4, { ...idle, freeUnits: 4, waiting: queued(12) })?.p50Ms, 30 * MINUTE));

  test('what could never run holds up nobody', () =>
    expect(expectedStart(1, { ...idle, freeUnits: 1, waiting: queued(3, 9) })?.p90Ms).toBe(0));

  test('a queue that is longer than listed drains as fast as its listed part', () => {
    const listed: Ahead = { ...idle, running: leases(1), waiting: queued(10) };
    isAbout(expectedStart(1, { ...listed, moreWaiting: 90 })?.p50Ms, 1_000 * MINUTE);
  });

  test('the less is known of durations, the further apart are P50 and P90', () => {
    const spread = lasting(Array.from({ length: 100 }, (_, index) => (index % 4 === 0 ? 300 : 3) * MINUTE));
    const running = [{ units: 1, elapsedMs: 0, forecast: spread }];
    const { p50Ms, p90Ms } = expectedStart(1, { ...idle, running })!;
    isAbout(p50Ms, 3 * MINUTE);
    isAbout(p90Ms, 300 * MINUTE);
  });

  test('whoever is in front, one more in front never makes it sooner, and P90 is not before P50', () => {
    const anyCount = fc.integer({ min: 0, max: 8 });
    fc.assert(
      fc.property(anyCount, anyCount, fc.integer({ min: 1, max: 3 }), (running, waiting, units) => {
        const at = (count: number) =>
          expectedStart(units, { ...idle, freeUnits: 3, running: leases(running), waiting: queued(count) })!;
        expect(at(waiting).p90Ms).toBeGreaterThanOrEqual(at(waiting).p50Ms);
        expect(at(waiting + 1).p50Ms).toBeGreaterThanOrEqual(at(waiting).p50Ms);
      }),
    );
  });

  test('more waiting than the limit are refused', () =>
    expect(() => expectedStart(1, { ...idle, freeUnits: 1, waiting: queued(2_001) })).toThrow(/^waiting:/));
});

describe('calibration', () => {
  const estimate = { p50Ms: 10 * MINUTE, p90Ms: 30 * MINUTE };

  test('an estimate is believed until outcomes speak against it', () => {
    const { p50Ms, p90Ms } = new StartCalibration().correct(estimate);
    expect([p50Ms, p90Ms].map(Math.round)).toEqual([estimate.p50Ms, estimate.p90Ms]);
  });

  test('when all wait three times as long, the estimates become three times as long', () => {
    const calibration = new StartCalibration();
    for (let task = 0; task < 500; task++) calibration.learn(estimate, 30 * MINUTE);
    isAbout(calibration.correct(estimate).p50Ms, 30 * MINUTE);
  });

  test('whatever the waits are drawn from, half and nine of ten end up covered', () => {
    const anyWaits = fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 3, maxLength: 9 });
    fc.assert(
      fc.property(anyWaits, waits => {
        const calibration = new StartCalibration();
        const covered = { p50: 0, p90: 0 };
        const rounds = 2_000;
        for (let task = 0; task < rounds; task++) {
          const waitedMs = waits[(task * 7) % waits.length]! * MINUTE;
          const { p50Ms, p90Ms } = calibration.correct(estimate);
          covered.p50 += waitedMs <= p50Ms ? 1 : 0;
          covered.p90 += waitedMs <= p90Ms ? 1 : 0;
          calibration.learn(estimate, waitedMs);
        }
        expect(covered.p50 / rounds).toBeGreaterThan(0.45);
        expect(covered.p90 / rounds).toBeGreaterThan(0.85);
      }),
    );
  });

  test('a correction has a bound, and P90 is never before P50', () => {
    const calibration = new StartCalibration();
    for (let task = 0; task < 5_000; task++) calibration.learn({ p50Ms: 0, p90Ms: 0 }, task % 2 ? 0 : 1e12);
    const { p50Ms, p90Ms } = calibration.correct({ p50Ms: 60_000, p90Ms: 60_000 });
    expect(p90Ms).toBeGreaterThanOrEqual(p50Ms);
    expect(p90Ms).toBeLessThan(120_000 * 404);
  });
});
