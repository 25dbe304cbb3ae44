import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { forecastOf, type Spender } from './forecast.js';

const now = new Date(Date.UTC(2026, 0, 2));
const hourMs = 3_600_000;
const ago = (ms: number, chargedAtto = 0n) => ({ from: new Date(now.getTime() - ms), chargedAtto });
const idle: Spender = {
  ...{ fundsAtto: 3_000n, runningPerSecondAtto: 0n },
  ...{ lastHour: ago(hourMs), lastDay: ago(24 * hourMs) },
};

test.each<[string, Partial<Spender>, string, bigint, number | undefined]>([
  ['nothing was spent and nothing runs', {}, 'none', 0n, undefined],
  ['the last hour was dear', { lastHour: ago(hourMs, 1_000n) }, 'last_hour', 1_000n, 3],
  ['the hour counts from whole ten minutes', { lastHour: ago(1.5 * hourMs, 1_500n) }, 'last_hour', 1_000n, 3],
  [
    'the day was dearer than its last hour',
    { lastHour: ago(hourMs, 100n), lastDay: ago(24 * hourMs, 7_200n) },
    ...(['last_day', 300n, 10] as const),
  ],
  [
    'what runs is dearer than what was charged',
    { lastHour: ago(hourMs, 2_000n), runningPerSecondAtto: 1n },
    ...(['running', 3_600n, 3_000 / 3_600] as const),
  ],
  ['nothing is left', { fundsAtto: 0n, runningPerSecondAtto: 1n }, 'running', 3_600n, 0],
  ['more was taken than there was', { fundsAtto: -5n, runningPerSecondAtto: 1n }, 'running', 3_600n, 0],
  [
    'it lasts for more than ten years',
    { fundsAtto: 10n ** 28n, runningPerSecondAtto: 1n },
    'running',
    3_600n,
    undefined,
  ],
])('when %s', (_when, change, basis, perHourAtto, hours) => {
  const forecast = forecastOf({ ...idle, ...change }, now);
  expect([forecast.basis, forecast.perHourAtto]).toEqual([basis, perHourAtto]);
  const emptyAt = hours === undefined ? undefined : new Date(now.getTime() + Math.floor(hours * hourMs));
  expect(forecast.emptyAt).toEqual(emptyAt);
});

test('no rate empties it earlier than the forecast says, and more money never does', () => {
  const amount = fc.bigInt({ min: 0n, max: 10n ** 24n });
  fc.assert(
    fc.property(amount, amount, amount, amount, amount, (fundsAtto, more, hour, day, running) => {
      const spender: Spender = {
        ...{ fundsAtto, runningPerSecondAtto: running },
        ...{ lastHour: ago(hourMs, hour), lastDay: ago(24 * hourMs, day) },
      };
      const { emptyAt, perHourAtto } = forecastOf(spender, now);
      for (const rate of [hour, day / 24n, running * 3_600n]) expect(perHourAtto >= rate).toBe(true);
      const leftMs = BigInt((emptyAt?.getTime() ?? now.getTime()) - now.getTime());
      expect(leftMs * perHourAtto <= fundsAtto * BigInt(hourMs)).toBe(true);
      const later = forecastOf({ ...spender, fundsAtto: fundsAtto + more }, now).emptyAt;
      expect((later?.getTime() ?? Infinity) >= (emptyAt?.getTime() ?? Infinity)).toBe(true);
    }),
  );
});
