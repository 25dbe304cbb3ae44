import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { faultKinds } from './plan.js';
import { runSeed } from './run.js';

let stateDir: string;

beforeAll(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'astro-chaos-'));
});
afterAll(() => rm(stateDir, { recursive: true, force: true }));

test('a platform that is struck by a fixed plan keeps every promise', async () => {
  const faults = faultKinds.filter(kind => kind !== 'disk-full');
  const said: string[] = [];
  const result = await runSeed({
    seed: 4,
    durationMs: 12_000,
    faults,
    stateDir,
    say: line => said.push(line),
    log: () => undefined,
  });
  expect(result.breaches).toEqual([]);
  expect([...result.faults.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThan(2);
  expect(result.jobs).toBeGreaterThan(5);
  expect(result.events).toBeGreaterThan(100);
  expect(said).toContain('healing');
}, 420_000);
