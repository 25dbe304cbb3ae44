import { expect, test } from '@jest/globals';
import type { PoolCommand } from '@astro/messages/scheduling';
import { BOUNDLESS_PATIENCE_MS, PlacementPace } from './placement-pace.js';
import { admit, after, at, patienceMs, queue, specOf, tick, withdraw } from './pool/pool-examples.js';

const job = queue('job_1', specOf(['task_1']), at(100_000));
const seen = (position: number, ...commands: readonly PoolCommand[]) => ({
  position,
  state: after(...commands).state,
});

test('nothing that waits needs no tick', () => {
  const pace = new PlacementPace(patienceMs, at(0));
  expect(pace.patienceFor(seen(1, admit('node_a')), at(100_000))).toBeUndefined();
  const placed = [admit('node_a'), admit('node_b'), job, tick(at(100_000))];
  expect(pace.patienceFor(seen(4, ...placed), at(100_000))).toBeUndefined();
  expect(pace.patienceFor(seen(4, ...placed), at(140_001))).toBe(patienceMs);
});

test('a tick that found nothing is not repeated until something happens', () => {
  const pace = new PlacementPace(patienceMs, at(0));
  const waiting = seen(2, admit('node_a'), job);
  expect(pace.patienceFor(waiting, at(100_000))).toBe(patienceMs);
  pace.foundNothing(waiting, at(100_000));
  expect(pace.patienceFor(waiting, at(100_100))).toBeUndefined();
  expect(pace.patienceFor({ ...waiting, position: 3 }, at(100_100))).toBe(patienceMs);
});

test('it is repeated when the patience of a job ends', () => {
  const pace = new PlacementPace(patienceMs, at(0));
  const waiting = seen(2, admit('node_a'), job);
  pace.foundNothing(waiting, at(100_000));
  expect(pace.patienceFor(waiting, at(100_000 + patienceMs))).toBeUndefined();
  expect(pace.patienceFor(waiting, at(100_001 + patienceMs))).toBe(patienceMs);
});

test('after a start and after a node was lost, no job is given up for a while', () => {
  const pace = new PlacementPace(patienceMs, at(100_000));
  const waiting = seen(2, admit('node_a'), job);
  expect(pace.patienceFor(waiting, at(100_001))).toBe(BOUNDLESS_PATIENCE_MS);
  expect(pace.patienceFor(waiting, at(100_000 + patienceMs))).toBe(patienceMs);
  const lost = seen(3, admit('node_a'), job, withdraw('node_a'));
  expect(pace.patienceFor(lost, at(200_000))).toBe(BOUNDLESS_PATIENCE_MS);
  pace.foundNothing(lost, at(200_000));
  expect(pace.patienceFor(lost, at(200_000 + patienceMs - 1))).toBeUndefined();
  expect(pace.patienceFor(lost, at(200_000 + patienceMs))).toBe(patienceMs);
});
