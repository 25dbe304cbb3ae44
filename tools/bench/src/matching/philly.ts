import { defaultAdmissionRules } from '@astro/matching/queue/admit';
import { arrivalOrder, defaultQueueOrder } from '@astro/matching/queue/queue-order';
import { percentile } from '../measure.js';
import type { Progress } from '../benchmark.js';
import { PhillySimulation, type Discipline, type Waited } from './philly-simulation.js';
import { publishedWindow, readPhillyTrace, within } from './philly-trace.js';
import type { EstimateFigures } from './start-estimates.js';

/** Jobs that begin in order and wait for the first that does not fit. */
const strict = { ...defaultAdmissionRules, backfillDepthMax: 0 };
/** No promise is ever late where durations are known. */
const exact = { ...defaultAdmissionRules, promiseGraceMs: Infinity };
/** So much for each expected millisecond that nothing else counts. */
const shortestFirst = { ...arrivalOrder, handicapForExpected: 1e9, handicapMaxMs: Infinity };

export const disciplines = {
  fifo: { order: arrivalOrder, admission: strict, durations: 'true' },
  easy: { order: arrivalOrder, admission: exact, durations: 'true' },
  sjf: { order: shortestFirst, admission: strict, durations: 'true' },
  astro: { order: defaultQueueOrder, admission: defaultAdmissionRules, durations: 'learned' },
} as const satisfies Readonly<Record<string, Discipline>>;

export type DisciplineName = keyof typeof disciplines;
type ForEach = Readonly<Record<DisciplineName, number>>;

export type PhillyFigures = {
  readonly nodes: number;
  readonly jobs: number;
  readonly meanCompletionSeconds: ForEach;
  readonly meanWaitSeconds: ForEach;
  readonly p99WaitSeconds: ForEach;
  readonly maxWaitSeconds: ForEach;
  /** Of the starts that `astro` foretold to jobs that had to wait: how many were no later than said. */
  readonly expectedStart: EstimateFigures;
};

const NODES_MAX = 100_000;

/**
 * Mean completion time of the Philly jobs on so many 8-GPU nodes under each discipline: strict FIFO, EASY and
 * strict shortest first know every duration beforehand, `astro` learns from jobs that have ended.
 *
 * @param file laid out like `philly_jobs.csv`; its jobs of October and November 2017, or all when it has none
 * @throws RangeError that names what is wrong with the file or the nodes
 */
export async function philly(file: string, nodes: number, progress: Progress): Promise<PhillyFigures> {
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > NODES_MAX) {
    throw new RangeError(`nodes: a whole number from 1 to ${NODES_MAX}, not ${nodes}`);
  }
  const trace = await readPhillyTrace(file);
  const published = within(trace, publishedWindow);
  const jobs = published.length > 0 ? published : trace;
  const measured = Object.entries(disciplines).map(([name, discipline]) => {
    const simulation = new PhillySimulation(nodes, discipline);
    const waited = simulation.run(jobs);
    progress(`${name}: mean completion ${meanCompletion(waited)} s`);
    return { name, waited, estimates: simulation.estimateFigures() };
  });
  const forEach = (figure: (waited: readonly Waited[]) => number) =>
    Object.fromEntries(measured.map(({ name, waited }) => [name, figure(waited)])) as ForEach;
  const waits = (waited: readonly Waited[]) => waited.map(({ waitSeconds }) => waitSeconds);
  return {
    nodes,
    jobs: jobs.length,
    meanCompletionSeconds: forEach(meanCompletion),
    meanWaitSeconds: forEach(waited => mean(waits(waited))),
    p99WaitSeconds: forEach(waited => percentile(waits(waited), 0.99)),
    maxWaitSeconds: forEach(waited => percentile(waits(waited), 1)),
    expectedStart: measured.find(({ name }) => name === 'astro')!.estimates,
  };
}

const meanCompletion = (waited: readonly Waited[]) =>
  mean(waited.map(({ job, waitSeconds }) => waitSeconds + job.durationSeconds));

const mean = (values: readonly number[]) =>
  Math.round(values.reduce((sum, value) => sum + value, 0) / Math.max(values.length, 1));
