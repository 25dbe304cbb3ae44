import { describe, expect, test } from '@jest/globals';
import { cidOf } from '@astro/messages/content-id';
import { holdingsDigest } from '@astro/messages/holdings';
import type { JobSpec, NoteHoldings, PoolCommand } from '@astro/messages/scheduling';
import { assignmentsOf } from '../desired-state.js';
import {
  admit,
  after,
  at,
  closeJob,
  complete,
  grantsIn,
  offerOf,
  poolId,
  queue,
  specOf,
  start,
  tick,
} from './pool-examples.js';
import { pool } from './pool.js';

const SPACED_MS = 30_000;
const cidNumbered = (number: number) => cidOf(new TextEncoder().encode(`${number}`));
const [weights, shard, other] = [cidNumbered(1), cidNumbered(2), cidNumbered(3)] as const;

type Telling = Partial<Pick<NoteHoldings, 'isWhole' | 'held' | 'dropped' | 'digest'>>;
/** @param all what the node counts then */
const tell = (when: Date, all: readonly string[], telling: Telling = {}, nodeId = 'node_y'): PoolCommand => ({
  type: 'NoteHoldings',
  data: {
    poolId,
    nodeId,
    at: when,
    isWhole: false,
    held: [],
    dropped: [],
    digest: holdingsDigest(all),
    ...telling,
  },
});
const tellAll = (when: Date, held: readonly string[], nodeId?: string) =>
  tell(when, held, { isWhole: true, held }, nodeId);

const contentUrl = 'http://y.example:4000';
const anyPrice = { maxPricePerSecondAtto: 10n ** 16n };
/** One that is dearer, so that only what it holds makes work go there. */
const nodes = [admit('node_x'), admit('node_y', { contentUrl, pricePerSecondAtto: 10n ** 14n })];
const reading = (...cids: readonly string[]): JobSpec => {
  const spec = specOf(['task_1'], anyPrice, 1);
  const inputs = cids.map((cid, index) => ({ name: `${index}`, cid }));
  const program = { ...spec.program, cid: cids[0]! };
  return { ...spec, program, tasks: [{ taskId: 'task_1', inputs, args: [] }] };
};
const placedOn = (...told: readonly PoolCommand[]): string => {
  const { events } = after(
    ...nodes,
    ...told,
    queue('job_1', reading(weights, shard)),
    tick(at(10 * SPACED_MS)),
  );
  return grantsIn(events)[0]!.nodeId;
};
const heldBy = (...told: readonly PoolCommand[]): readonly string[] => [
  ...(after(...told).state.records.get('node_y')?.told?.held ?? []),
];

describe('what a node says that it holds', () => {
  test('makes work that reads it go there', () => {
    expect(placedOn()).toBe('node_x');
    expect(placedOn(tellAll(at(0), [weights, shard]))).toBe('node_y');
  });

  test('counts before the node is admitted as well', () => {
    const { events } = after(
      tellAll(at(0), [weights, shard]),
      ...nodes,
      queue('job_1', reading(weights, shard)),
      tick(at(1)),
    );
    expect(grantsIn(events)[0]!.nodeId).toBe('node_y');
  });

  test('is withdrawn when it has put it out', () => {
    const gone = tell(at(SPACED_MS), [], { dropped: [weights, shard] });
    expect(placedOn(tellAll(at(0), [weights, shard]), gone)).toBe('node_x');
  });

  test('is added to what it said before', () =>
    expect(
      heldBy(tellAll(at(0), [weights]), tell(at(SPACED_MS), [weights, shard], { held: [shard] })),
    ).toEqual([weights, shard]));

  test('is told to those that need it', () => {
    const spec = {
      ...reading(weights),
      requirements: { ...reading(weights).requirements, regions: ['de-fra'] },
    };
    const elsewhere = [
      ...nodes,
      tellAll(at(0), [weights]),
      admit('node_y', { contentUrl, region: 'fr-par' }),
    ];
    const { state } = after(...elsewhere, queue('job_1', spec), tick(at(1)));
    expect(assignmentsOf(state, poolId, 'node_x')).toMatchObject([
      { holders: { nodes: [{ nodeId: 'node_y', contentUrl }] } },
    ]);
  });

  test('said once more changes nothing', () =>
    expect(after(tellAll(at(0), [weights]), tellAll(at(1), [weights])).events).toHaveLength(1));

  test('is not guessed from its leases any more, but for images', () => {
    const image = `shell@sha256:${'0'.repeat(64)}`;
    const spec = reading(weights, shard);
    const program = { ...spec.program, cid: '', runtime: 'container' as const, image };
    const withImage = { ...spec, program, requirements: { ...spec.requirements, regions: ['fr-par'] } };
    const inventory = { ...offerOf('node_y').inventory, runtimes: ['wasm', 'container'] };
    const history = [
      admit('node_y', { region: 'fr-par', inventory }),
      tellAll(at(0), []),
      queue('job_0', withImage),
      tick(at(1)),
    ];
    const [grant] = grantsIn(after(...history).events);
    const { state } = after(...history, start(grant!, at(2)), complete(grant!, at(3)), closeJob('job_0'));
    expect(state.nodes.get('node_y')!.engineOffer.datasets).toEqual([image]);
  });
});

describe('a change that does not fit what was counted', () => {
  const lost = [tellAll(at(0), [weights, shard]), tell(at(SPACED_MS), [weights, shard, other], { held: [] })];

  test('makes nothing count until all of it is said', () => {
    expect(after(...lost).events.at(-1)).toMatchObject({ type: 'HoldingsLost', data: { nodeId: 'node_y' } });
    expect(placedOn(...lost)).toBe('node_x');
    const further = tell(at(2 * SPACED_MS), [weights], { held: [weights] });
    expect(after(...lost, further).events).toHaveLength(2);
    expect(placedOn(...lost, further, tellAll(at(3 * SPACED_MS), [weights, shard]))).toBe('node_y');
  });

  test('is a change of a node that has not said anything before as well', () =>
    expect(after(tell(at(0), [weights], { held: [weights] })).events).toMatchObject([
      { type: 'HoldingsLost' },
    ]));
});

describe('what a node says too much of is refused', () => {
  const decide = (command: PoolCommand, ...before: readonly PoolCommand[]) =>
    pool.decide(command, after(...before).state);

  test('more than eight changes at once', () => {
    const burst = Array.from({ length: 8 }, (_, index) => tellAll(at(index), [cidNumbered(index)]));
    expect(decide(tellAll(at(8), [weights]), ...burst)).toMatchObject({ rejection: 'HoldingsToldTooOften' });
    expect(decide(tellAll(at(8 + SPACED_MS), [weights]), ...burst)).toMatchObject({ accepted: true });
  });

  test('more than 64 files', () => {
    const many = Array.from({ length: 65 }, (_, index) => cidNumbered(index));
    expect(decide(tellAll(at(0), many))).toMatchObject({ rejection: 'HoldingsAreInvalid' });
    expect(decide(tellAll(at(0), many.slice(1)))).toMatchObject({ accepted: true });
  });

  test('what is no content id', () =>
    expect(decide(tellAll(at(0), ['../etc/passwd']))).toMatchObject({ rejection: 'HoldingsAreInvalid' }));
});
