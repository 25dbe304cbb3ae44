import { describe, expect, test } from '@jest/globals';
import type { PoolCommand, PoolEvent, TickChange } from '@astro/messages/scheduling';
import { adopt, examplePolicy, taught } from './learning/learning.fixture.js';
import { admit, after, at, poolId, queue, specOf, tick } from './pool-examples.js';
import { changeFlaw, TickReplay, type TickExplanation } from './replayed-tick.js';

const whole = { cpuMillis: 2_000 };
const history: readonly PoolCommand[] = [
  admit('node_a', { pricePerSecondAtto: 5n }),
  admit('node_b', { pricePerSecondAtto: 7n }),
  queue('job_0', specOf(['task_0'], { cpuMillis: 500 }, 1)),
  tick(at(0)),
  queue('job_1', specOf(['task_1', 'task_2'], whole, 1)),
  queue('job_2', specOf(['task_3'], { cpuMillis: 1_000 }, 1), at(1)),
  tick(at(1_000)),
];

/** The last tick of a history, asked about for one job. */
function explain(change: TickChange, jobId = 'job_1', commands = history): TickExplanation {
  const events: readonly PoolEvent[] = after(...commands).events;
  const replay = new TickReplay({ poolId, tenantId: 'tenant_1', jobId, position: 0, change });
  const last = events.at(-1)!;
  for (const event of events.slice(0, -1)) replay.apply(event);
  expect([replay.knowsJob, replay.knowsNode]).toEqual([true, true]);
  if (last.type !== 'LeasesGranted') throw new Error('the history does not end with a tick');
  return replay.decide(events.length, { ...last.data, decidedAt: last.data.decidedAt! });
}
const nodesIn = ({ changed }: TickExplanation) => changed.grants.map(({ nodeId }) => nodeId);

describe('a recorded tick with one thing changed', () => {
  test('says what it did, and repeats it', () => {
    const explained = explain({ maxPricePerSecondAtto: 10n });
    expect(explained).toMatchObject({ policy: 'tight-fit/1', weightsVersion: 1, isRepeated: true });
    expect(explained.recorded).toMatchObject({
      grants: [{ nodeId: 'node_b' }],
      grantsOfJob: 1,
      grantsOfOthers: 1,
    });
    expect(explained.changed).toEqual(explained.recorded);
  });

  test('has another outcome without the node, and what ran there runs on', () => {
    expect(nodesIn(explain({ nodeWithdrawn: 'node_b' }))).toEqual([]);
    expect(nodesIn(explain({ nodeWithdrawn: 'node_a' }))).toEqual(['node_b']);
    expect(explain({ nodeWithdrawn: 'node_a' }, 'job_2').changed).toMatchObject({ grantsOfJob: 0 });
  });

  test('has another price at another price of the node, and none above the cap', () => {
    const priced = (pricePerSecondAtto: bigint) =>
      explain({ nodePrice: { nodeId: 'node_b', pricePerSecondAtto } }).changed.grants;
    expect(priced(9n)).toMatchObject([{ nodeId: 'node_b', pricePerSecondAtto: 9n }]);
    expect(priced(11n)).toEqual([]);
  });

  test('has another outcome under another cap of the job', () => {
    expect(nodesIn(explain({ maxPricePerSecondAtto: 6n }))).toEqual([]);
  });

  test('has another outcome when a term of the score counts more', () => {
    const free = [
      admit('node_a', { pricePerSecondAtto: 10n ** 15n }),
      admit('node_b', { pricePerSecondAtto: 2n }),
      queue('job_0', specOf(['task_0'], { cpuMillis: 500, maxPricePerSecondAtto: 10n ** 16n }, 1)),
      tick(at(0)),
    ];
    const cheapest = explain({ termWeight: { term: 'price', weight: 1 } }, 'job_0', free);
    expect([cheapest.recorded.grants[0]?.nodeId, ...nodesIn(cheapest)]).toEqual(['node_b', 'node_b']);
    expect(nodesIn(explain({ termWeight: { term: 'price', weight: 0 } }, 'job_0', free))).toEqual(['node_a']);
  });

  test('is decided by the policy of its day', () => {
    const learned = [...taught, adopt(examplePolicy), tick(at(0))];
    const explained = explain({ nodeWithdrawn: 'node_d' }, 'job_whole', learned);
    expect(explained).toMatchObject({ policy: 'astro/1', weightsVersion: 2, isRepeated: true });
    expect(explained.changed.grants.map(({ nodeId }) => nodeId)).not.toContain('node_d');
    expect(explain({ termWeight: { term: 'policy', weight: 1 } }, 'job_whole', learned).changed).toEqual(
      explained.recorded,
    );
  });

  test('has the same answer each time', () => {
    const change = { nodePrice: { nodeId: 'node_a', pricePerSecondAtto: 1n } };
    expect(explain(change)).toEqual(explain(change));
  });

  test('knows neither the job of another tenant nor a node that was not there', () => {
    const change = { nodeWithdrawn: 'node_z' };
    const replay = new TickReplay({ poolId, tenantId: 'tenant_2', jobId: 'job_1', position: 0, change });
    for (const event of after(...history).events) replay.apply(event);
    expect([replay.knowsJob, replay.knowsNode]).toEqual([false, false]);
  });
});

test.each<[string, TickChange]>([
  ['change: 0 things are changed instead of one', {}],
  ['change: 2 things are changed', { nodeWithdrawn: 'node_a', maxPricePerSecondAtto: 1n }],
  ['change.nodePrice: is below 0', { nodePrice: { nodeId: 'node_a', pricePerSecondAtto: -1n } }],
  ['change.maxPricePerSecondAtto: is below 1', { maxPricePerSecondAtto: 0n }],
  ["change.termWeight: 'luck' is not one of policy, price", { termWeight: { term: 'luck', weight: 1 } }],
  ['change.termWeight: NaN is not 0 to', { termWeight: { term: 'price', weight: NaN } }],
])('a change is refused with the field that is wrong: %s', (flaw, change) => {
  expect(changeFlaw(change)).toContain(flaw);
});
