import { expect, test } from '@jest/globals';
import { timeOf } from './delivered.js';

test('the time of a delivery is the one that a direct read of the same message gives', () => {
  // What the server writes for this moment in a direct read, and in the subject for acknowledgements.
  const directly = new Date(Date.parse('2026-11-23T13:29:34.784999999Z'));
  const short = '$JS.ACK.EVT_BILLING.lane.1.7.3.1795440574784999999.0';
  const long = '$JS.ACK.hub.hash.EVT_BILLING.lane.1.7.3.1795440574784999999.0.random';
  expect(timeOf(short)).toEqual(directly);
  expect(timeOf(long)).toEqual(directly);
  expect(directly.toISOString()).toBe('2026-11-23T13:29:34.784Z');
});
