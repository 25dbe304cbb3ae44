import { expect, test } from '@jest/globals';
import { FollowStatus } from './follow-status.js';

test('the lag is what the chain has beyond the record', () => {
  const status = new FollowStatus();
  expect(status.report).toEqual({ state: 'standing by' });
  status.followed({ head: 12, asOf: 9, final: 7 });
  expect(status.report).toEqual({
    state: 'following',
    headBlock: 12,
    asOfBlock: 9,
    finalBlock: 7,
    lagBlocks: 3,
  });
});

test('failing again and again is a problem, which a round that succeeds ends', () => {
  const status = new FollowStatus();
  status.followed({ head: 12, asOf: 12, final: 7 });
  for (let failure = 1; failure <= 4; failure++) status.failed('no answer');
  expect([status.healthy, status.report.state, status.report.headBlock]).toEqual([true, 'failing', 12]);
  status.failed('no answer');
  expect(status.problem).toBe('5 times in a row: no answer');
  status.followed({ head: 13, asOf: 13, final: 8 });
  expect(status.healthy).toBe(true);
});

test('a halt is a problem until the following ends', () => {
  const status = new FollowStatus();
  status.halted('block 7 is not what it was');
  expect(status.problem).toBe('halted until a person has looked: block 7 is not what it was');
  status.standsBy();
  expect(status.healthy).toBe(true);
});
