import { expect, test } from '@jest/globals';
import { LogBounds, logBounds } from './log-bounds.js';

const at = (ms: number) => new Date(1_000_000 + ms);
const take = (bounds: LogBounds, times: number, ms: number, bytes = 1, leaseId = 'lease_1') =>
  Array.from({ length: times }, () => bounds.takes(leaseId, bytes, at(ms))).filter(Boolean).length;

test('of one second so many messages are taken, of the next one as many again', () => {
  const bounds = new LogBounds();
  expect(take(bounds, 100, 0)).toBe(logBounds.messagesInWindow);
  expect(take(bounds, 100, 999)).toBe(0);
  expect(take(bounds, 100, 1_000)).toBe(logBounds.messagesInWindow);
});

test('of one lease so many bytes are taken, and those of another are counted by themselves', () => {
  const bounds = new LogBounds();
  const half = logBounds.bytesOfLease / 2;
  expect(take(bounds, 3, 0, half)).toBe(2);
  expect(take(bounds, 1, 9_000)).toBe(0);
  expect(take(bounds, 1, 0, half, 'lease_2')).toBe(1);
});
