import { describe, expect, test } from '@jest/globals';
import { silent } from '@astro/jetstream/log';
import type { Benchmark, Report } from './benchmark.js';
import { Measuring, type MeasuringParts } from './measuring.js';

const report: Report = {
  matrixMflops: 1,
  memoryMibPerSecond: 2,
  diskWriteMibPerSecond: 3,
  diskReadMibPerSecond: 4,
  networkKibPerSecond: 0,
  cores: 1,
  spreadThousandths: 5,
};
const benchmark: Benchmark = { figures: {}, report, milliUnits: 1_000, notes: [] };

/** Measures until so many reports are in; then its signal aborts. */
async function untilReported(count: number, changes: Partial<MeasuringParts>): Promise<readonly Report[]> {
  const stop = new AbortController();
  const reports: Report[] = [];
  const measuring = new Measuring({
    everyMs: 1,
    benchmark: async () => benchmark,
    isIdle: () => true,
    report: async figures => {
      reports.push(figures);
      if (reports.length === count) stop.abort();
    },
    random: () => 0,
    log: silent,
    ...changes,
  });
  await measuring.run(stop.signal);
  return reports;
}

describe('a node', () => {
  test('is measured when it has joined, and again and again', async () => {
    expect(await untilReported(3, {})).toEqual([report, report, report]);
  });

  test('is not measured while it works', async () => {
    let looks = 0;
    const measuredAt: number[] = [];
    await untilReported(1, {
      isIdle: () => ++looks > 3,
      benchmark: async () => {
        measuredAt.push(looks);
        return benchmark;
      },
    });
    expect(measuredAt).toEqual([4]);
  });

  test('that got work meanwhile reports nothing of that time', async () => {
    let runs = 0;
    const idle = [true, false, true, true];
    await untilReported(1, {
      isIdle: () => idle.shift() ?? true,
      benchmark: async () => {
        runs += 1;
        return benchmark;
      },
    });
    expect(runs).toBe(2);
  });

  test('whose report is refused is measured at the next time', async () => {
    let refusals = 0;
    const stop = new AbortController();
    const refused = async () => {
      refusals += 1;
      if (refusals === 2) stop.abort();
      throw new Error('refused');
    };
    const parts = { everyMs: 1, benchmark: async () => benchmark, isIdle: () => true, random: () => 0 };
    await new Measuring({ ...parts, report: refused, log: silent }).run(stop.signal);
    expect(refusals).toBe(2);
  });

  test('is never measured where its operator does not want it', async () => {
    const parts = { isIdle: () => true, random: () => 0, report: async () => undefined, log: silent };
    const measuring = new Measuring({
      ...parts,
      everyMs: 0,
      benchmark: () => Promise.reject(new Error('measured')),
    });
    await expect(measuring.run(new AbortController().signal)).resolves.toBeUndefined();
  });
});
