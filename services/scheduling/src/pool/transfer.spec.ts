import { describe, expect, test } from '@jest/globals';
import { maxTransferAtto, transferAtto } from '@astro/matching/cost';
import type { Grant, JobSpec, PoolCommand, PoolEvent, Result, Transferred } from '@astro/messages/scheduling';
import fc from 'fast-check';
import { admit, after, at, complete, grantsIn, queue, specOf, start, tick } from './pool-examples.js';
import { periodMs, report, serving } from './service-examples.js';
import { reserveOfReplicaAtto } from './service.js';

const inputBytes = 1_000;
const outputLimitBytes = 1_024;
const cid = 'bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e';
const paid = { maxPricePerGibTransferredAtto: 7n };
const perGib = { pricePerGibTransferredAtto: 5n };

const sized = (spec: JobSpec): JobSpec => ({
  ...spec,
  inputSizes: { taskBytes: spec.tasks.map(() => inputBytes) },
});
const outputsOf = (...sizes: readonly number[]) =>
  sizes.map((sizeBytes, index) => ({ name: `out_${index}`, cid: `${cid}${index}`, sizeBytes }));

/** The result of a task whose node claims to have moved so much. */
function resultOf(transferred: Transferred | undefined, outputs = outputsOf(100), spec = taskSpec): Result {
  const placed = [admit('node_a', perGib), queue('job_1', spec), tick(at(0))];
  const [grant] = grantsIn(after(...placed).events);
  const done = complete(grant!, at(2_000)) as Extract<PoolCommand, { type: 'CompleteLease' }>;
  const claimed = { ...done.data, outputs, ...(transferred && { transferred }) };
  const { events } = after(...placed, start(grant!, at(1_000)), { ...done, data: claimed });
  const last = events.at(-1)!;
  if (last.type !== 'LeaseCompleted') throw new Error(`${last.type}`);
  return last.data.result;
}
const taskSpec = sized(specOf(['task_1'], paid, 1));
const moved = (fetchedBytes: number, uploadedBytes: number): Transferred => ({ fetchedBytes, uploadedBytes });

describe('what a node moved', () => {
  test('is metered at the price of its lease', () =>
    expect(resultOf(moved(600, 100))).toMatchObject({ transferred: moved(600, 100), ...perGib }));
  test('keeps the price of the grant when the node asks for more afterwards', () => {
    const before = [admit('node_a', perGib), queue('job_1', taskSpec), tick(at(0))];
    const [grant] = grantsIn(after(...before).events);
    const dearer = admit('node_a', { pricePerGibTransferredAtto: 6n });
    const { events } = after(...before, dearer, start(grant!, at(0)), complete(grant!, at(10)));
    expect(events.at(-1)).toMatchObject({ data: { result: perGib } });
  });
  test('is never more than what its task names', () =>
    expect(resultOf(moved(inputBytes + 1, 0)).transferred).toEqual(moved(inputBytes, 0)));
  test('is never more than its outputs have, each content once', () => {
    const [output] = outputsOf(100);
    const twice = [output!, { ...output!, name: 'again' }];
    expect(resultOf(moved(0, 10 ** 9), twice).transferred).toEqual(moved(0, 100));
  });
  test('is nothing where it says nothing', () =>
    expect(resultOf(undefined).transferred).toEqual(moved(0, 0)));
  test('is not metered where nobody knows the sizes of the inputs', () => {
    const result = resultOf(moved(1, 1), [], specOf(['task_1'], paid, 1));
    expect([result.transferred, result.pricePerGibTransferredAtto]).toEqual([undefined, undefined]);
  });
});

test('outputs that are larger than they may be are no result', () =>
  expect(() => resultOf(moved(0, 0), outputsOf(outputLimitBytes, 1))).toThrow('LeaseFailed'));

describe('a node that asks for transfer', () => {
  const grantedFor = (spec: JobSpec) =>
    grantsIn(after(admit('node_a', perGib), queue('job_1', spec), tick(at(0))).events);
  test('is given what pays as much', () =>
    expect(grantedFor(sized(specOf(['t'], { maxPricePerGibTransferredAtto: 5n }, 1)))).toMatchObject([
      perGib,
    ]));
  test('is not given what pays less', () =>
    expect(grantedFor(sized(specOf(['t'], { maxPricePerGibTransferredAtto: 4n }, 1)))).toEqual([]));
  test('is not given what pays nothing for it', () => expect(grantedFor(specOf(['t'], {}, 1))).toEqual([]));
  test('is why a job fails that no other node could serve', () => {
    const late = tick(at(60_000));
    const { events } = after(
      admit('node_a', perGib),
      queue('job_1', specOf(['t'], {}, 1)),
      tick(at(0)),
      late,
    );
    expect(events.at(-1)).toMatchObject({
      type: 'JobAbandoned',
      data: {
        reason: 'price_cap_unmet',
        detail: expect.stringContaining('transferPriceCap excludes 1') as unknown,
      },
    });
  });
});

const anyBytes = fc.oneof(fc.nat(2 * inputBytes), fc.constantFrom(0, 2 ** 32, Number.MAX_SAFE_INTEGER));
const anyClaim = fc.record({
  transferred: fc.option(fc.record({ fetchedBytes: anyBytes, uploadedBytes: anyBytes }), { nil: undefined }),
  outputs: fc.array(fc.nat(2 * outputLimitBytes), { maxLength: 3 }).map(sizes => outputsOf(...sizes)),
  digest: fc.constantFrom<string>('', 'd1', 'd2'),
  afterMs: fc.integer({ min: 0, max: periodMs }),
});

function claiming(grant: Grant, { transferred, outputs, digest }: Claim, ms: number): PoolCommand {
  const told = report(grant, ms) as Extract<PoolCommand, { type: 'RenewLease' }>;
  return { ...told, data: { ...told.data, outputs, digest, ...(transferred && { transferred }) } };
}
type Claim = typeof anyClaim extends fc.Arbitrary<infer One> ? One : never;

test('whatever a replica claims, and however often, it is paid each input once and no more output than allowed', () =>
  fc.assert(
    fc.property(fc.array(anyClaim, { minLength: 1, maxLength: 12 }), claims => {
      const spec = sized({ ...serving({ replicasMin: 1 }), requirements: taskSpec.requirements });
      const placed = [admit('node_a', perGib), queue('job_s', spec), tick(at(0))];
      const [grant] = grantsIn(after(...placed).events);
      const commands = [...placed, start(grant!, at(0))];
      let ms = 0;
      // Each report comes twice, as the bus may deliver it.
      for (const claim of claims) {
        ms += claim.afterMs;
        commands.push(claiming(grant!, claim, ms), claiming(grant!, claim, ms));
      }
      const charged = after(...commands).events.flatMap(workIn);
      const fetched = charged.reduce((sum, { transferred }) => sum + transferred!.fetchedBytes, 0);
      expect(fetched).toBeLessThanOrEqual(inputBytes);
      for (const { transferred, meteredMs } of charged) {
        expect(transferred!.uploadedBytes).toBeLessThanOrEqual(outputLimitBytes);
        const costAtto = transferAtto(transferred!.fetchedBytes + transferred!.uploadedBytes, 5n);
        expect(costAtto <= maxTransferAtto(spec, 0)).toBe(true);
        expect(meteredMs).toBeLessThanOrEqual(ms);
      }
    }),
    { numRuns: 100 },
  ));

const workIn = ({ type, data }: PoolEvent): readonly Result[] => (type === 'LeaseRenewed' ? [data.work] : []);

test('what has been charged of a replica’s outputs is not charged again while they are the same', () => {
  const spec = sized(serving({ replicasMin: 1 }));
  const placed = [admit('node_a'), queue('job_s', spec), tick(at(0))];
  const [grant] = grantsIn(after(...placed).events);
  const claim = { transferred: moved(inputBytes, 100), outputs: outputsOf(100), digest: 'd1', afterMs: 0 };
  const reports = [1, 2].map(count => claiming(grant!, claim, count * periodMs));
  const work = after(...placed, start(grant!, at(0)), ...reports).events.flatMap(workIn);
  expect(work.map(({ transferred }) => transferred)).toEqual([moved(inputBytes, 100), moved(0, 0)]);
});

test('a replica is not begun where its budget would not pay for what it may move', () => {
  const dear = { ...taskSpec.requirements, maxPricePerGibTransferredAtto: 10n ** 9n };
  const spec = sized({ ...serving(), requirements: dear });
  const free = serving();
  const transfersAtto = reserveOfReplicaAtto(spec, spec.service!) - reserveOfReplicaAtto(free, free.service!);
  expect(transfersAtto).toBe(transferAtto(inputBytes + outputLimitBytes, 10n ** 9n));
});
