import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNats, type NatsServer } from '@astro/devstack/nats/server';
import { answer, type Accepted } from '@astro/event-sourcing/decider';
import { newId } from '@astro/event-sourcing/ids';
import type { Recorded } from '@astro/event-sourcing/recorded';
import { AggregateStore } from '@astro/jetstream/aggregate-store';
import { Bus } from '@astro/jetstream/bus';
import { EventStore } from '@astro/jetstream/event-store';
import { Snapshots } from '@astro/jetstream/snapshots';
import { ensureStreams } from '@astro/jetstream/streams';
import type { Grant, LeasesGranted, PoolEvent, TickChange } from '@astro/messages/scheduling';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { pool } from '../pool/pool.js';
import { at, grantsIn, poolId, specOf } from '../pool/pool-examples.js';
import { anySteps, type Steps } from '../pool/pool-steps.fixture.js';
import { TickReplay } from '../pool/replayed-tick.js';
import { RecordedTicks } from './recorded-tick.reader.js';
import { TickQuestions } from './tick-questions.loop.js';

const type = 'scheduling.pool';
const metadata = { correlationId: 'spec', causationId: 'spec', actor: 'service:spec' };
const POOLS = 28;
const EVENTS_BETWEEN_SNAPSHOTS = 3;

let dir: string;
let server: NatsServer;
let bus: Bus;
let events: EventStore;
let snapshots: Snapshots;
/** What was recorded of each pool. */
const histories = new Map<string, readonly Recorded[]>();

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'astro-recorded-tick-'));
  server = await startNats({ dir });
  bus = await Bus.connect({ servers: server.url, name: 'recorded-tick-spec' });
  await ensureStreams(bus);
  events = new EventStore(bus);
  snapshots = new Snapshots(bus);
  const services = ['service_1', 'service_2'];
  const jobs = ['job_1', 'job_2', 'job_3', 'job_4', 'job_5', ...services];
  for (const jobId of jobs) await append('scheduling.job', jobId, [submission(jobId)]);
  const [first, ...others] = fc.sample(anySteps, { numRuns: POOLS, seed: 3 });
  for (const [index, steps] of [first!.concat(...others), ...others].entries())
    histories.set(`pool_${index}`, await live(`pool_${index}`, steps));
}, 120_000);

afterAll(async () => {
  await bus.close();
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

const submission = (jobId: string) => ({
  type: 'JobSubmitted',
  data: { jobId, tenantId: 'tenant_1', poolId, spec: specOf(['task']), maxCostAtto: 1n },
});

async function append(
  of: 'scheduling.job' | 'scheduling.pool',
  id: string,
  made: readonly { type: string; data: unknown }[],
) {
  const aggregate = { type: of, id } as const;
  const expectedPosition = (await events.load(aggregate)).at(-1)?.position ?? 0;
  return events.append(aggregate, made, { expectedPosition, commandId: newId('cmd'), metadata });
}

/** A pool that writes its state down now and then, among the events of much else. */
async function live(poolId: string, steps: Steps): Promise<readonly Recorded[]> {
  const options = { snapshots, eventsBetweenSnapshots: EVENTS_BETWEEN_SNAPSHOTS };
  const store = new AggregateStore(events, type, pool, options);
  const granted: Grant[] = [];
  const all: Recorded[] = [];
  let elapsedMs = 0;
  for (const [index, [step, waitMs]] of steps.entries()) {
    const command = step(granted, at((elapsedMs += waitMs)));
    if (!command) continue;
    const { changed } = await store.execute(poolId, command, { commandId: newId('cmd'), metadata });
    if (!changed) continue;
    const made = await events.load({ type, id: poolId }, all.at(-1)?.position);
    all.push(...made);
    granted.push(...grantsIn(made.map(({ event }) => event as PoolEvent)));
    // So that positions are as far apart as in a stream that holds more than one pool.
    const others = Array.from({ length: 256 }, () => submission('job_of_others'));
    if (all.length % 2 === 0) await append('scheduling.job', `others_${poolId}_${index}`, others);
  }
  return all;
}

type Tick = Recorded & { readonly event: { readonly type: 'LeasesGranted'; readonly data: LeasesGranted } };
const ticks = (): readonly Tick[] =>
  [...histories.values()]
    .flat()
    .filter((recorded): recorded is Tick => recorded.event.type === 'LeasesGranted');
/** Of the longest history. */
const lastTick = () => ticks().findLast(({ aggregate }) => aggregate.id === 'pool_0')!;

const asks = ({ aggregate, position, event }: Tick, change: TickChange) => {
  const { jobId, nodeId } = event.data.grants[0] ?? { jobId: 'job_1', nodeId: 'node_a' };
  const nodeChange = change.nodeWithdrawn === undefined ? change : { nodeWithdrawn: nodeId };
  return { poolId: aggregate.id, tenantId: 'tenant_1', jobId, position, change: nodeChange };
};

/** The same question, asked of every event that was ever recorded of the pool. */
function fromTheWholeHistory({ position, event }: Tick, question: ReturnType<typeof asks>) {
  const replay = new TickReplay(question);
  for (const recorded of histories.get(question.poolId)!)
    if (recorded.position < position) replay.apply(recorded.event as PoolEvent);
  if (!replay.knowsJob) return { accepted: false, rejection: 'JobNotFound' };
  return answer(replay.decide(position, { ...event.data, decidedAt: event.data.decidedAt! }));
}

test('a tick has the same answer from a kept state as from the whole history', async () => {
  const recorded = new RecordedTicks({ events, snapshots }, 1_000);
  const changes: readonly TickChange[] = [
    { nodeWithdrawn: 'its' },
    { maxPricePerSecondAtto: 4n },
    { termWeight: { term: 'price', weight: 0 } },
  ];
  let explained = 0;
  for (const tick of ticks()) {
    for (const change of changes) {
      const question = asks(tick, change);
      const given = await recorded.explain(question);
      expect(given).toEqual(fromTheWholeHistory(tick, question));
      if (given.accepted) explained += 1;
    }
  }
  expect(explained).toBeGreaterThan(60);
}, 120_000);

test('a tick is explained within a limit that the whole history is beyond', async () => {
  const last = lastTick();
  const question = asks(last, { nodeWithdrawn: 'its' });
  const limited = new RecordedTicks({ events, snapshots }, 4 * EVENTS_BETWEEN_SNAPSHOTS);
  expect(histories.get('pool_0')!.length).toBeGreaterThan(10 * EVENTS_BETWEEN_SNAPSHOTS);
  expect(await limited.explain(question)).toEqual(fromTheWholeHistory(last, question));
  // Another cap goes back to before the job was known.
  const ofCap = asks(last, { maxPricePerSecondAtto: 4n });
  expect(await limited.explain(ofCap)).toMatchObject({ rejection: 'TickIsTooLate' });
  expect(await limited.explain({ ...question, position: 0 })).toMatchObject({ rejection: 'TickIsTooLate' });
});

test('a state that was written by other rules is passed over', async () => {
  const tick = lastTick();
  const question = asks(tick, { nodeWithdrawn: 'its' });
  const kept = (await snapshots.read({ type, id: 'pool_0' }))!;
  try {
    await snapshots.write(
      { type, id: 'pool_0' },
      { ...kept, position: tick.position - 1, version: kept.version - 1 },
    );
    const recorded = new RecordedTicks({ events, snapshots }, 1_000);
    expect(await recorded.explain(question)).toEqual(fromTheWholeHistory(tick, question));
    await snapshots.write(
      { type, id: 'pool_0' },
      { ...kept, position: tick.position - 1, eventId: 'evt_of_nobody' },
    );
    expect(await recorded.explain(question)).toEqual(fromTheWholeHistory(tick, question));
  } finally {
    await snapshots.write({ type, id: 'pool_0' }, kept);
  }
});

const askThread = (limits: ConstructorParameters<typeof TickQuestions>[1], data: unknown) =>
  new TickQuestions({ NATS_URL: server.url, NATS_CREDENTIALS_FILE: undefined }, limits).execute(
    poolId,
    { type: 'ExplainTick', data },
    { commandId: 'cmd_1' },
  );

test('another thread answers, and this one decides nothing', async () => {
  const tick = lastTick();
  const question = asks(tick, { nodeWithdrawn: 'its' });
  const here = jest.spyOn(TickReplay.prototype, 'decide');
  const given = await askThread({}, question);
  expect(here).not.toHaveBeenCalled();
  here.mockRestore();
  const { events: _, ...wanted } = fromTheWholeHistory(tick, question) as Accepted<never>;
  expect(given).toMatchObject(wanted);
});

test.each([
  ['its memory', { heapMib: 8 }, /memory/i],
  ['its time', { timeLimitMs: 1 }, /not decided again in 1 ms/],
])('a thread that needs more than %s is ended, and the question refused', async (_, limits, detail) => {
  const given = await askThread(limits, asks(lastTick(), { nodeWithdrawn: 'its' }));
  expect(given).toMatchObject({ accepted: false, rejection: 'TickIsUndecided' });
  expect(given.detail).toMatch(detail);
});

test('one question is answered at a time', async () => {
  const questions = new TickQuestions({ NATS_URL: server.url, NATS_CREDENTIALS_FILE: undefined });
  const data = asks(lastTick(), { nodeWithdrawn: 'its' });
  const asked = [1, 2].map(id =>
    questions.execute(poolId, { type: 'ExplainTick', data }, { commandId: `${id}` }),
  );
  expect(await Promise.all(asked)).toMatchObject([{ accepted: true }, { rejection: 'TicksAreBusy' }]);
});
