import { accuracyOf, encodeShard, readDigits, split, type Image } from '@astro/digits/data';
import { readProgram, TRAINING, trainingArgs } from '@astro/digits/programs';
import { averageWeights, initialWeights } from '@astro/digits/weights';
import type { Client, Job, JobRequest } from './client.js';
import type { Story } from './story.js';

/** Attos for a second that the client pays at most: 0.01 ASTRO. */
const MAX_PRICE_PER_SECOND_ATTO = 10n ** 16n;
const INFERENCE_TASKS = 4;
const SEED = 'digits';

const requirements = {
  deviceKind: 'cpu',
  cpuMillis: 1_000,
  memoryMib: 256,
  maxPricePerSecondAtto: String(MAX_PRICE_PER_SECOND_ATTO),
} as const;
const limits = { timeLimitMs: 60_000, memoryLimitMib: 64, outputLimitBytes: 4 << 20 } as const;

export type Training = {
  readonly accuracy: number;
  readonly jobs: readonly Job[];
  readonly testImages: number;
};

/** Ended other than by success: the reason is the job's. */
export class JobDidNotSucceed extends Error {
  override readonly name = 'JobDidNotSucceed';
  constructor(readonly job: Job) {
    super(`${job.name} (${job.id}) ${job.status}: ${job.reason ?? ''} ${job.detail ?? ''}`);
  }
}

/**
 * Trains a classifier of real hand-written digits over the marketplace: each round is a job with one task for each
 * shard, whose results are averaged into the next round's weights; a last job infers the held-out test set.
 */
export async function trainDigits(client: Client, story: Story, runId: string): Promise<Training> {
  const { shards, test } = split(await readDigits(), TRAINING);
  const program = await client.putContent(await readProgram('train'));
  const shardCids = await Promise.all(
    shards.map(shard => client.putContent(encodeShard(shard, { labels: true }).bytes)),
  );
  story.step(
    `uploaded the training program and ${shards.length} shards of ${shards[0]!.length} images by content id`,
  );

  const jobs: Job[] = [];
  let weights = initialWeights(TRAINING.hiddenUnits, SEED);
  for (let round = 0; round < TRAINING.rounds; round++) {
    const weightsCid = await client.putContent(weights);
    const job = await run(client, story, `${runId}-train-${round}`, {
      name: `digits: training round ${round + 1} of ${TRAINING.rounds}`,
      program: { cid: program, ...limits },
      requirements,
      tasks: shardCids.map(shard => ({
        inputs: [
          { name: 'weights', cid: weightsCid },
          { name: 'shard', cid: shard },
        ],
        args: trainingArgs(round),
      })),
    });
    const shares = await outputsOf(client, job, 'weights');
    weights = averageWeights(shares.map((bytes, at) => ({ weights: bytes, images: shards[at]!.length })));
    jobs.push(job);
  }
  const inference = await infer(client, story, runId, weights, test);
  return { accuracy: inference.accuracy, jobs: [...jobs, inference.job], testImages: test.length };
}

async function infer(
  client: Client,
  story: Story,
  runId: string,
  weights: Uint8Array,
  test: readonly Image[],
) {
  const size = Math.ceil(test.length / INFERENCE_TASKS);
  const parts = Array.from({ length: INFERENCE_TASKS }, (_, part) =>
    test.slice(part * size, (part + 1) * size),
  );
  const weightsCid = await client.putContent(weights);
  const cids = await Promise.all(
    parts.map(part => client.putContent(encodeShard(part, { labels: false }).bytes)),
  );
  const job = await run(client, story, `${runId}-infer`, {
    name: `digits: inference over ${test.length} held-out images`,
    program: { cid: await client.putContent(await readProgram('infer')), ...limits },
    requirements,
    tasks: cids.map(shard => ({
      inputs: [
        { name: 'weights', cid: weightsCid },
        { name: 'shard', cid: shard },
      ],
    })),
  });
  const predictions = Buffer.concat(await outputsOf(client, job, 'predictions'));
  return { job, accuracy: accuracyOf(predictions, test) };
}

/** Submits the job, tells its progress and answers it when it has succeeded. */
async function run(client: Client, story: Story, idempotencyKey: string, request: JobRequest): Promise<Job> {
  const { id } = await client.submit(request, idempotencyKey);
  const total = request.tasks.length;
  let verified = 0;
  for await (const event of client.events(id)) {
    if (event.type === 'TaskSucceeded') verified++;
    story.progress(`${request.name}   ${bar(verified, total)} ${verified}/${total} verified   ${event.type}`);
  }
  const job = await client.ended(id);
  story.progress(
    `${request.name}   ${bar(verified, total)} ${verified}/${total} verified   ${job.status}`,
    true,
  );
  if (job.status !== 'succeeded') throw new JobDidNotSucceed(job);
  return job;
}

/** One output of every task, in the order of the tasks. */
const outputsOf = (client: Client, job: Job, name: string): Promise<Uint8Array[]> =>
  Promise.all(
    job.tasks.map(task => {
      const output = task.outputs.find(candidate => candidate.name === name);
      if (!output) throw new Error(`${task.id} has no output ${name}`);
      return client.getContent(output.cid);
    }),
  );

const BAR_WIDTH = 12;
const bar = (done: number, total: number): string => {
  const filled = Math.round((BAR_WIDTH * done) / total);
  return '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled);
};
