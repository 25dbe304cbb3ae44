import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { disciplines, philly, type DisciplineName } from './philly.js';
import { PhillySimulation } from './philly-simulation.js';
import { readPhillyTrace, type PhillyJob } from './philly-trace.js';

const HEADER = 'submit_s,duration_s,num_gpus,vc';
let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'astro-philly-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function traceOf(...rows: readonly string[]): Promise<string> {
  const file = join(folder, 'jobs.csv');
  await writeFile(file, [HEADER, ...rows, ''].join('\n'));
  return file;
}

describe('reading a trace', () => {
  test('jobs come in the order of their submission', async () => {
    const jobs = await readPhillyTrace(await traceOf('7,10,8,b', '5,20,1,a'));
    expect(jobs).toEqual([
      { submitSeconds: 5, durationSeconds: 20, gpus: 1, tenantId: 'a' },
      { submitSeconds: 7, durationSeconds: 10, gpus: 8, tenantId: 'b' },
    ]);
  });

  test.each([
    ['1,2,3', /jobs\.csv:3: 4 columns, not 3/],
    ['-1,2,3,a', /jobs\.csv:3: submit_s: a whole number from 0/],
    ['1,NaN,3,a', /jobs\.csv:3: duration_s: a whole number/],
    ['1,2,0,a', /jobs\.csv:3: num_gpus: a whole number from 1/],
    ['1,2,18446744073709551615,a', /jobs\.csv:3: num_gpus: a whole number/],
    ['1,2,3,', /jobs\.csv:3: vc: 1 to 64 characters/],
  ])('the row %s is refused', async (row, message) =>
    expect(readPhillyTrace(await traceOf('0,1,1,a', row))).rejects.toThrow(message),
  );

  test('a file of another layout is refused', async () => {
    const file = join(folder, 'other.csv');
    await writeFile(file, 'a,b\n1,2\n');
    await expect(readPhillyTrace(file)).rejects.toThrow(/other\.csv:1: the header must be/);
  });
});

const job = (submitSeconds: number, durationSeconds: number, gpus: number, tenantId = 'a'): PhillyJob => ({
  submitSeconds,
  durationSeconds,
  gpus,
  tenantId,
});
const waits = (name: DisciplineName, nodes: number, jobs: readonly PhillyJob[]) =>
  new PhillySimulation(nodes, disciplines[name]).run(jobs).map(({ waitSeconds }) => waitSeconds);

describe('by hand', () => {
  // Of one node 6 GPUs are taken until 100; then come a gang of 8, a long job of 2 and a short one of 2.
  const jobs = [job(0, 100, 6), job(1, 50, 8), job(2, 200, 2), job(3, 40, 2)];

  test('first come, first served: all wait for the gang', () =>
    expect(waits('fifo', 1, jobs)).toEqual([0, 99, 148, 147]));

  test('EASY: the short one is gone before the gang could start', () =>
    expect(waits('easy', 1, jobs)).toEqual([0, 99, 148, 0]));

  test('shortest first: what is shorter than the gang goes first, and the gang blocks what is longer', () =>
    expect(waits('sjf', 1, jobs)).toEqual([0, 99, 148, 0]));

  test('a gang of more than one node takes whole nodes', () =>
    expect(waits('fifo', 3, [job(0, 10, 12), job(1, 10, 9), job(2, 10, 8)])).toEqual([0, 9, 8]));

  test('of nodes with room the one with the least of it is taken, so that a whole one stays for the gang', () =>
    expect(waits('fifo', 2, [job(0, 10, 3), job(1, 10, 5), job(2, 10, 8)])).toEqual([0, 0, 0]));

  test('a gang that no empty pool would host is refused', () =>
    expect(() => waits('astro', 1, [job(0, 1, 9)])).toThrow('1 jobs never fit the pool'));

  test('what was learned of short jobs lets them pass long ones', () => {
    const taught = Array.from({ length: 60 }, (_, at) => [
      job(at * 10_000, 5_000, 8, 'long'),
      job(at * 10_000 + 5_000, 60, 8, 'short'),
    ]).flat();
    const asked = [job(600_000, 100, 8, 'x'), job(600_001, 5_000, 8, 'long'), job(600_002, 60, 8, 'short')];
    const astro = waits('astro', 1, [...taught, ...asked]).slice(-2);
    expect(astro).toEqual([159, 98]); // the long one waits for both
    expect(waits('fifo', 1, [...taught, ...asked]).slice(-2)).toEqual([99, 5_098]);
  });
});

describe('whatever the jobs', () => {
  const anyJobs = fc.array(
    fc.record({
      submitSeconds: fc.integer({ min: 0, max: 2_000 }),
      durationSeconds: fc.integer({ min: 0, max: 900 }),
      gpus: fc.constantFrom(1, 1, 1, 2, 4, 8, 12, 16),
      tenantId: fc.constantFrom('a', 'b', 'c'),
    }),
    { maxLength: 60 },
  );
  const inOrder = (jobs: readonly PhillyJob[]) => [...jobs].sort((a, b) => a.submitSeconds - b.submitSeconds);
  const everyDiscipline = Object.keys(disciplines) as DisciplineName[];

  test.each(everyDiscipline)('%s never gives more GPUs than there are, and starts every job once', name => {
    fc.assert(
      fc.property(anyJobs, jobs => {
        const waited = new PhillySimulation(3, disciplines[name]).run(inOrder(jobs));
        expect(waited).toHaveLength(jobs.length);
        const changes = waited.flatMap(({ job: { submitSeconds, durationSeconds, gpus }, waitSeconds }) => {
          expect(waitSeconds).toBeGreaterThanOrEqual(0);
          const held = gpus > 8 ? Math.ceil(gpus / 8) * 8 : gpus;
          const startSeconds = submitSeconds + waitSeconds;
          return durationSeconds === 0
            ? []
            : [
                { at: startSeconds, gpus: held },
                { at: startSeconds + durationSeconds, gpus: -held },
              ];
        });
        let held = 0;
        for (const { gpus } of changes.sort((a, b) => a.at - b.at || a.gpus - b.gpus)) {
          held += gpus;
          expect(held).toBeLessThanOrEqual(24);
        }
      }),
    );
  });

  test('the same jobs wait as long again', () => {
    fc.assert(
      fc.property(anyJobs, jobs => {
        const run = () => new PhillySimulation(2, disciplines.astro).run(inOrder(jobs));
        expect(run()).toEqual(run());
      }),
      { numRuns: 20 },
    );
  });
});

test('the figures name every discipline', async () => {
  const file = await traceOf('0,10,8,a', '1,10,8,b');
  const figures = await philly(file, 1, () => undefined);
  expect(figures).toMatchObject({
    nodes: 1,
    jobs: 2,
    meanCompletionSeconds: { fifo: 15, easy: 15, sjf: 15, astro: 15 },
  });
});

test.each([0, -1, 1.5, NaN])('%d nodes are refused', async nodes =>
  expect(philly(await traceOf('0,10,8,a'), nodes, () => undefined)).rejects.toThrow(/^nodes:/),
);
