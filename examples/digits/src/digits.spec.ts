import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { Sandbox } from '@astro/node-agent/sandbox/sandbox';
import { accuracyOf, encodeShard, type Image, readDigits, split } from './data.js';
import { readProgram, TRAINING, trainingArgs } from './programs.js';
import { averageWeights, initialWeights, type Weights } from './weights.js';

/** A machine that is busy with other things only makes it slower. */
jest.setTimeout(60_000);

const LIMITS = { timeLimitMs: 60_000, memoryLimitMib: 32, outputLimitBytes: 1_048_576 };
const sandbox = new Sandbox();
const running = new AbortController();
let digits: readonly Image[];

beforeAll(async () => {
  digits = await readDigits();
});

afterAll(() => sandbox.close());

async function run(
  name: 'train' | 'infer',
  inputs: { weights: Weights; shard: Uint8Array },
  args: readonly string[],
): Promise<{ fault: string; output: Uint8Array | undefined; stderrTail: string }> {
  const files = Object.entries(inputs).map(([file, bytes]) => ({ name: file, bytes }));
  const program = await readProgram(name);
  const { fault, outputs, stderrTail } = await sandbox.run(
    { program, inputs: files, args, limits: LIMITS, seed: 'task' },
    running.signal,
  );
  return { fault, output: outputs[0]?.bytes, stderrTail };
}

async function trainOnce(weights: Weights, shard: Uint8Array, round: number): Promise<Weights> {
  const { fault, output } = await run('train', { weights, shard }, trainingArgs(round));
  if (fault !== 'none' || !output) throw new Error(`training ended with ${fault}`);
  return output;
}

const digestOf = (images: readonly Image[]): string =>
  createHash('sha256')
    .update(encodeShard(images, { labels: true }).bytes)
    .digest('hex');

describe('the data', () => {
  test('are 10,000 pictures of ten digits, in the same order each time', async () => {
    expect(digits).toHaveLength(10_000);
    expect(new Set(digits.map(({ label }) => label)).size).toBe(10);
    expect(digestOf(await readDigits())).toBe(digestOf(digits));
  });

  test('no picture of the test set is in a shard, and none is lost', () => {
    const { shards, test: held } = split(digits, TRAINING);
    const all = [...held, ...shards.flat()];
    expect(held).toHaveLength(TRAINING.testImages);
    expect(all).toHaveLength(digits.length);
    expect(new Set(all).size).toBe(digits.length);
  });
});

describe('the weights', () => {
  test('their average counts every image once', () => {
    const weightsOf = (value: number) => new Uint8Array(Float32Array.of(value).buffer);
    const averaged = averageWeights([
      { weights: weightsOf(1), images: 30 },
      { weights: weightsOf(5), images: 10 },
    ]);
    expect([...new Float32Array(averaged.buffer)]).toEqual([2]);
  });

  test('start the same for the same seed only', () => {
    expect(initialWeights(8, 'a')).toEqual(initialWeights(8, 'a'));
    expect(initialWeights(8, 'a')).not.toEqual(initialWeights(8, 'b'));
  });
});

describe('the programs', () => {
  test('training on shards and averaging learns digits that no shard contains', async () => {
    const { shards, test: held } = split(digits, TRAINING);
    const encoded = shards.map(shard => encodeShard(shard, { labels: true }));
    let weights = initialWeights(TRAINING.hiddenUnits, 'digits');
    for (let round = 0; round < TRAINING.rounds; round++) {
      const start = weights;
      const shares = await Promise.all(
        encoded.map(async ({ bytes, images }) => ({ weights: await trainOnce(start, bytes, round), images })),
      );
      weights = averageWeights(shares);
    }
    const shard = encodeShard(held, { labels: false }).bytes;
    const { output } = await run('infer', { weights, shard }, []);
    expect(accuracyOf(output!, held)).toBeGreaterThan(0.92);
  }, 120_000);

  test('the same shard and weights give the same bytes', async () => {
    const shard = encodeShard(digits.slice(0, 200), { labels: true }).bytes;
    const weights = initialWeights(16, 'digits');
    const first = await trainOnce(weights, shard, 0);
    expect(first).not.toEqual(weights);
    expect(await trainOnce(weights, shard, 0)).toEqual(first);
  });

  test.each([
    ['a shard that is cut short', encodedDigits => encodedDigits.subarray(0, 5_000)],
    ['a shard without its header', encodedDigits => encodedDigits.subarray(12)],
    ['no shard at all', () => new Uint8Array(0)],
  ] satisfies [string, (shard: Uint8Array) => Uint8Array][])('%s is refused', async (_, damage) => {
    const shard = damage(encodeShard(digits.slice(0, 20), { labels: true }).bytes);
    const { fault, stderrTail } = await run(
      'train',
      { weights: initialWeights(8, 'a'), shard },
      trainingArgs(0),
    );
    expect(fault).toBe('program_trapped');
    expect(stderrTail).toContain('the shard');
  });
});
