import { execFileSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { skewedClock } from './skewed-clock.js';

const hourMs = 3_600_000;
const script = `console.log(JSON.stringify({
  now: Date.now(), made: new Date().getTime(), text: Date.parse(Date()),
  given: new Date(7).getTime(), parsed: Date.parse('2026-01-01T00:00:00Z'), isDate: new Date() instanceof Date,
}))`;

test.each([-hourMs, hourMs])('a process whose clock is off by %i ms tells no other time', byMs => {
  const before = Date.now() + byMs;
  const said = JSON.parse(
    execFileSync(process.execPath, ['-e', script], {
      encoding: 'utf8',
      env: { ...process.env, ...skewedClock(byMs) },
    }),
  ) as Record<string, number | boolean>;
  const after = Date.now() + byMs;
  for (const told of [said['now'], said['made']]) {
    expect(told).toBeGreaterThanOrEqual(before);
    expect(told).toBeLessThanOrEqual(after);
  }
  // Without its milliseconds.
  expect(said['text']).toBeGreaterThanOrEqual(before - 1_000);
  expect(said['text']).toBeLessThanOrEqual(after);
  expect(said).toMatchObject({ given: 7, parsed: Date.UTC(2026, 0, 1), isDate: true });
});
