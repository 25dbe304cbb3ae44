import { expect, test } from '@jest/globals';
import { periodOf } from './period.js';

const now = new Date('2026-03-01T00:00:00.000Z');

test.each([
  [{}, { from: '2026-01-31', to: '2026-03-01' }],
  [{ to: '2026-02-28' }, { from: '2026-01-30', to: '2026-02-28' }],
  [{ from: '2026-03-01' }, { from: '2026-03-01', to: '2026-03-01' }],
  [
    { from: '2025-03-01', to: '2026-03-01' },
    { from: '2025-03-01', to: '2026-03-01' },
  ],
])('%j are the days %j', (asked, period) => expect(periodOf(asked, now)).toEqual(period));

test.each([
  [{ from: '2026-03-02' }, 'from: must not be after 2026-03-01'],
  [{ from: '2025-02-28' }, 'from: must be at most 366 days before the end of 2026-03-01'],
])('%j are refused', (asked, detail) => expect(() => periodOf(asked, now)).toThrow(detail));
