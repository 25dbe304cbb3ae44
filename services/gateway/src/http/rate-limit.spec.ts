import { expect, test } from '@jest/globals';
import { RateLimit } from './rate-limit.js';

const limit = () => new RateLimit({ perSecond: 2, burst: 3 });

test('a caller may send a burst, and then at the rate', () => {
  const rateLimit = limit();
  const admitted = (nowMs: number) => rateLimit.admit('tenant:1', nowMs).isAdmitted;
  expect([admitted(0), admitted(0), admitted(0), admitted(0)]).toEqual([true, true, true, false]);
  expect([admitted(500), admitted(500)]).toEqual([true, false]);
  expect([admitted(60_000), admitted(60_000), admitted(60_000), admitted(60_000)]).toEqual([
    true,
    true,
    true,
    false,
  ]);
});

test('callers do not share a bucket', () => {
  const rateLimit = limit();
  for (let request = 0; request < 4; request++) rateLimit.admit('tenant:1', 0);
  expect(rateLimit.admit('tenant:2', 0).isAdmitted).toBe(true);
});

test('the headers say what is left, and when to come back', () => {
  const rateLimit = limit();
  expect(rateLimit.admit('tenant:1', 0).headers).toEqual({
    'ratelimit-policy': '"default";q=3;w=2',
    ratelimit: '"default";r=2;t=1',
  });
  rateLimit.admit('tenant:1', 0);
  rateLimit.admit('tenant:1', 0);
  expect(rateLimit.admit('tenant:1', 0).headers).toMatchObject({
    ratelimit: '"default";r=0;t=2',
    'retry-after': '1',
  });
});

test('a clock that goes back takes no tokens away', () => {
  const rateLimit = limit();
  rateLimit.admit('tenant:1', 10_000);
  expect(rateLimit.admit('tenant:1', 0).isAdmitted).toBe(true);
});
