import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Benchmark, Progress } from './benchmark.js';
import { startBusServer } from './bus-server.js';
import { startTwoInstances, type Memory } from './instance.js';
import { rounded, rssMb } from './measure.js';
import { requester } from './requester.js';

const COMMANDS = 1_000_000;
const SAMPLES = 20;
const CALLERS = 512;
/** Caches fill and code is compiled before it: what is remembered of commands is full after some 260,000 of them. */
const WARM_UP_SAMPLES = 6;

type Sample = Memory & { readonly requesterRssMb: number };

/** Each instance collects its garbage before it answers: what stays is what it holds. */
export const memory: Benchmark = {
  measures: 'what two service instances hold over a million commands to a thousand aggregates',
  usage: `[--commands ${COMMANDS}]`,
  async run(folder, progress, options) {
    const perSample = Math.ceil(commandsIn(options) / SAMPLES);
    const { bus, server, stop } = await startBusServer(join(folder, 'bus'), true);
    try {
      const instances = await startTwoInstances(server.url);
      const startedMs = performance.now();
      const samples = await sampled(
        perSample,
        requester(bus),
        async () => {
          const answers = await Promise.all(instances.map(instance => instance.memory()));
          return largest(answers);
        },
        progress,
      );
      const seconds = (performance.now() - startedMs) / 1_000;
      await Promise.all(instances.map(instance => instance.stop()));
      const settled = samples.slice(WARM_UP_SAMPLES);
      return {
        commands: perSample * SAMPLES,
        perSecond: rounded((perSample * SAMPLES) / seconds),
        rssMb: samples.map(sample => sample.rssMb),
        heapMb: samples.map(sample => sample.heapMb),
        requesterRssMb: samples.map(sample => sample.requesterRssMb),
        rssMbPer100k: growthPer100k(
          perSample,
          settled.map(sample => sample.rssMb),
        ),
        heapMbPer100k: growthPer100k(
          perSample,
          settled.map(sample => sample.heapMb),
        ),
      };
    } finally {
      await stop();
    }
  },
};

/** @throws RangeError, or TypeError, when they are not the ones in `usage` */
function commandsIn(options: readonly string[]): number {
  const { values } = parseArgs({ args: [...options], options: { commands: { type: 'string' } } });
  const commands = Number(values.commands ?? COMMANDS);
  if (Number.isSafeInteger(commands) && commands >= SAMPLES) return commands;
  throw new RangeError(`--commands ${values.commands}: must be a whole number of at least ${SAMPLES}`);
}

async function sampled(
  perSample: number,
  request: () => Promise<void>,
  measure: () => Promise<Memory>,
  progress: Progress,
): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  while (samples.length < SAMPLES) {
    let left = perSample;
    const call = async () => {
      while (left-- > 0) await request();
    };
    await Promise.all(Array.from({ length: CALLERS }, call));
    const sample = { ...(await measure()), requesterRssMb: rssMb() };
    samples.push(sample);
    progress(`${samples.length * perSample} commands: rss ${sample.rssMb} MB, heap ${sample.heapMb} MB`);
  }
  return samples;
}

const largest = (answers: readonly Memory[]): Memory => ({
  rssMb: Math.max(...answers.map(answer => answer.rssMb)),
  heapMb: Math.max(...answers.map(answer => answer.heapMb)),
});

/** Slope of the straight line with the least squares, in MB for each 100,000 commands. */
function growthPer100k(perSample: number, values: readonly number[]): number {
  const mean = (numbers: readonly number[]) =>
    numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
  const [meanX, meanY] = [(values.length - 1) / 2, mean(values)];
  const covariance = values.reduce((sum, value, x) => sum + (x - meanX) * (value - meanY), 0);
  const variance = values.reduce((sum, _value, x) => sum + (x - meanX) ** 2, 0);
  return rounded((covariance / variance) * (100_000 / perSample), 2);
}
