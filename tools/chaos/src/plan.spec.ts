import { expect, test } from '@jest/globals';
import { describe as describeFault, faultKinds, planOf } from './plan.js';
import { Random } from './random.js';

const minuteMs = 60_000;

test('the same seed gives the same plan, another seed another', () => {
  expect(planOf(5, minuteMs, faultKinds)).toEqual(planOf(5, minuteMs, faultKinds));
  expect(planOf(5, minuteMs, faultKinds)).not.toEqual(planOf(6, minuteMs, faultKinds));
});

test('a plan holds only what is allowed', () => {
  const kinds = planOf(5, 10 * minuteMs, ['kill', 'poison']).map(({ fault }) => fault.kind);
  expect(new Set(kinds)).toEqual(new Set(['kill', 'poison']));
});

test('every kind of fault is planned sooner or later, in order of time', () => {
  const plan = planOf(5, 60 * minuteMs, faultKinds);
  expect(new Set(plan.map(({ fault }) => fault.kind))).toEqual(new Set(faultKinds));
  expect(plan.map(({ atMs }) => atMs)).toEqual(plan.map(({ atMs }) => atMs).sort((a, b) => a - b));
});

test('a run of a minute pauses somebody beyond the ack wait and parts an agent beyond its lease', () => {
  const lines = planOf(5, minuteMs, faultKinds).map(describeFault);
  expect(lines).toContainEqual(expect.stringMatching(/ pause \w+[\w-]* 35000$/));
  expect(lines).toContainEqual(expect.stringMatching(/ partition \w+ 45000$/));
});

test('the generator is SplitMix64', () => {
  const random = new Random(1234567);
  // The first output of the reference implementation for this seed is 6457827717110365317.
  expect(random.next()).toBe(Number(6457827717110365317n >> 11n) / 2 ** 53);
});
