import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { loadLinearSolver } from '@astro/solver/highs';
import type { Run, Trace } from './experiment.js';
import { measureOf, policyNames, type PolicyName } from './policies.js';
import { devicesOf, readNodes, readPods } from './trace.js';

/** Every twentieth node and pod of the published trace. */
const folder = join(import.meta.dirname, 'testdata');
const seeds = [42, 43];

/** A hundred and sixty linear programs are solved for each seed of `astroLearned`. */
const setUpTimeoutMs = 300_000;

describe('the trace experiment', () => {
  let trace: Trace;
  const runs = new Map<PolicyName, Run[]>();
  const mean = (name: PolicyName, arrived: number) =>
    runs.get(name)!.reduce((sum, { allocated }) => sum + allocated[arrived]!, 0) / seeds.length;

  beforeAll(async () => {
    trace = { nodes: await readNodes(folder), pods: await readPods(folder, 'openb_pod_list_gpuspec20') };
    const solver = await loadLinearSolver();
    for (const name of policyNames) {
      const measure = measureOf(name, trace, solver, 0);
      runs.set(name, seeds.map(measure));
    }
  }, setUpTimeoutMs);

  test('goes on until 130 % of the devices have been asked for', () => {
    const devices = trace.nodes.reduce((sum, { deviceCount }) => sum + deviceCount, 0);
    const asked = trace.pods.reduce((sum, pod) => sum + devicesOf(pod), 0);
    for (const { decisions } of runs.get('fgd')!) {
      expect(decisions / ((trace.pods.length * 1.3 * devices) / asked)).toBeCloseTo(1, 1);
    }
  });

  test('allocates what is asked for while there is room, never more, and never less later on', () => {
    for (const { allocated } of [...runs.values()].flat()) {
      expect(allocated[20]).toBeGreaterThan(18);
      for (const [arrived, percent] of allocated.entries()) {
        expect(percent).toBeLessThanOrEqual(Math.min(100, arrived + 0.5));
        if (arrived > 0) expect(percent).toBeGreaterThan(allocated[arrived - 1]! - 1e-9);
      }
    }
  });

  test('ranks the policies as the published one does, and astro above them, with the mix known or learned', () => {
    for (const arrived of [100, 130]) {
      expect(mean('astro', arrived)).toBeGreaterThan(mean('fgd', arrived));
      expect(mean('astroLearned', arrived)).toBeGreaterThan(mean('bestfit', arrived));
      expect(mean('fgd', arrived)).toBeGreaterThan(mean('random', arrived));
      expect(mean('bestfit', arrived)).toBeGreaterThan(mean('random', arrived));
    }
    expect(mean('fgd', 100)).toBeGreaterThan(mean('bestfit', 100));
  });

  test('gives the same answer for the same seed', async () => {
    const solver = await loadLinearSolver();
    for (const name of policyNames) {
      const again = measureOf(name, trace, solver, 0)(seeds[0]!);
      expect(again.allocated).toEqual(runs.get(name)![0]!.allocated);
    }
  });

  test('ranks the weights of PWR+FGD by the power that they save, FGD alone last', () => {
    const watts = (name: PolicyName) =>
      runs.get(name)!.reduce((sum, run) => sum + run.watts.subarray(1, 101).reduce((a, b) => a + b), 0);
    expect(watts('pwr50fgd950')).toBeLessThan(watts('fgd'));
    expect(watts('pwr200fgd800')).toBeLessThan(watts('pwr50fgd950'));
    expect(mean('pwr200fgd800', 100)).toBeLessThan(mean('fgd', 100));
    expect(mean('pwr200fgd800', 100)).toBeGreaterThan(mean('random', 100));
  });

  test('saves power where a placement that adds less of it counts more', async () => {
    const solver = await loadLinearSolver();
    const thrifty = measureOf('astro', trace, solver, 1)(seeds[0]!);
    expect(thrifty.watts[50]!).toBeLessThan(runs.get('astro')![0]!.watts[50]!);
    expect(thrifty.watts[0]).toBeCloseTo(runs.get('astro')![0]!.watts[0]!, -3);
  });
});
