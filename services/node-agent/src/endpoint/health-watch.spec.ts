import { expect, test } from '@jest/globals';
import { healthAfter, untried } from './health-watch.js';

const check = { healthyAfter: 2, unhealthyAfter: 3 };
const after = (probes: string) =>
  [...probes].reduce((health, probe) => healthAfter(check, health, probe === '+'), untried).isHealthy;

test.each([
  ['', false],
  ['+', false],
  ['++', true],
  ['+-+', false],
  ['++--', true],
  ['++--+--', true],
  ['++---', false],
  ['++---+', false],
  ['++---++', true],
])('a replica whose probes were %s is healthy: %s', (probes, isHealthy) =>
  expect(after(probes)).toBe(isHealthy),
);
