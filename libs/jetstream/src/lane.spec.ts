import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNats, type NatsServer } from '@astro/devstack/nats/server';
import { newId } from '@astro/event-sourcing/ids';
import type { AggregateRef } from '@astro/event-sourcing/recorded';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { Bus } from './bus.js';
import { DeadLetters } from './dead-letters.js';
import { EventStore } from './event-store.js';
import { Lane, recordedFrom, Unprocessable, type Delivered, type LaneOptions } from './lane.js';
import { silent } from './log.js';
import { ensureStreams } from './streams.js';

const metadata = { correlationId: 'req-1', causationId: 'req-1', actor: 'operator:o1' };
const stream = 'EVT_REGISTRY';

let dir: string;
let server: NatsServer;
let bus: Bus;
let store: EventStore;
const lanes: Lane[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'astro-lane-'));
  server = await startNats({ dir });
  bus = await Bus.connect({ servers: server.url, name: 'lane-spec' });
  await ensureStreams(bus);
  store = new EventStore(bus);
}, 120_000);

afterEach(async () => {
  await Promise.all(lanes.splice(0).map(lane => lane.stop()));
});

afterAll(async () => {
  await bus.close();
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

test('messages of one key are handled one after the other, different keys side by side', async () => {
  const [first, second] = [tenant(), tenant()];
  const seen: string[] = [];
  let running = 0;
  let mostRunning = 0;
  await start({
    filterSubjects: [eventsOf(first), eventsOf(second)],
    async handle(message) {
      mostRunning = Math.max(mostRunning, ++running);
      // Later messages are quicker, so that only the queue keeps them from overtaking.
      await pause(10 - Number(nameOf(message)));
      seen.push(`${recordedFrom(message).aggregate.id} ${nameOf(message)}`);
      running -= 1;
    },
  });
  await Promise.all([record(first, 10), record(second, 10)]);
  await waitFor(() => seen.length === 20);
  for (const { id } of [first, second]) {
    const own = seen.filter(line => line.startsWith(id));
    expect(own).toEqual(names(10).map(name => `${id} ${name}`));
  }
  expect(mostRunning).toBe(2);
});

test('a message that keeps failing becomes a dead letter, and the others of its key go on', async () => {
  const aggregate = tenant();
  const handled: string[] = [];
  const attempts: number[] = [];
  const durable = await start({
    filterSubjects: [eventsOf(aggregate)],
    maxDeliveries: 3,
    async handle(message) {
      if (nameOf(message) !== '1') return void handled.push(nameOf(message));
      attempts.push(message.deliveries);
      throw new Error('the disk is on fire');
    },
  });
  await record(aggregate, 3);
  const [letter, ...others] = await deadLettersOf(durable);
  expect(others).toEqual([]);
  expect(letter).toMatchObject({ stream, consumer: durable, deliveries: 3, reason: 'the disk is on fire' });
  expect(letter!.subject).toBe(`evt.registry.tenant.${aggregate.id}.TenantRegistered`);
  expect(attempts).toEqual([1, 2, 3]);
  expect(handled).toEqual(['0', '2']);
});

test('a failing message is tried in place when its key must keep its order', async () => {
  const aggregate = tenant();
  const handled: string[] = [];
  let failures = 2;
  await start({
    filterSubjects: [eventsOf(aggregate)],
    retry: 'in-place',
    async handle(message) {
      if (nameOf(message) === '0' && failures-- > 0) throw new Error('not yet');
      handled.push(nameOf(message));
    },
  });
  await record(aggregate, 3);
  await waitFor(() => handled.length === 3);
  expect(handled).toEqual(['0', '1', '2']);
});

test('what cannot be decoded or is declared hopeless becomes a dead letter at once', async () => {
  const aggregate = tenant();
  let handled = 0;
  const durable = await start({
    filterSubjects: [eventsOf(aggregate)],
    async handle(message) {
      const { metadata: why } = recordedFrom(message);
      handled += 1;
      throw new Unprocessable(`hopeless since ${why.correlationId}`);
    },
  });
  const subject = `evt.registry.tenant.${aggregate.id}.TenantRegistered`;
  await bus.js.publish(subject, new Uint8Array([255, 255, 255]));
  await record(aggregate, 1, 1);
  const letters = await deadLettersOf(durable, 2);
  expect(letters.map(({ deliveries }) => deliveries)).toEqual([1, 1]);
  expect(letters.map(({ reason }) => reason).sort()).toEqual([
    'hopeless since req-1',
    expect.stringMatching(/ce-id/),
  ]);
  expect(handled).toBe(1);
});

test('a message that ends its process every time becomes a dead letter without another attempt', async () => {
  const aggregate = tenant();
  const options = { filterSubjects: [eventsOf(aggregate)], maxDeliveries: 1, durable: newId('lane') };
  await start({ ...options, handle: async () => undefined });
  await lanes.pop()!.stop();
  await record(aggregate, 1);
  // Taken, and never answered: handed back here, so that the spec need not wait until the server does so
  // itself.
  const consumer = await bus.js.consumers.get(stream, options.durable);
  (await consumer.next())!.nak();
  let handled = 0;
  await start({ ...options, handle: async () => void (handled += 1) });
  const [letter] = await deadLettersOf(options.durable);
  expect(letter).toMatchObject({ deliveries: 2, reason: expect.stringMatching(/without an answer/) });
  expect(handled).toBe(0);
});

test('what a dead process had taken comes first when a key must keep its order', async () => {
  const aggregate = tenant();
  const options = {
    filterSubjects: [eventsOf(aggregate)],
    retry: 'in-place' as const,
    durable: newId('lane'),
  };
  await start({ ...options, handle: async () => undefined });
  await lanes.pop()!.stop();
  await record(aggregate, 2);
  const dying = await bus.js.consumers.get(stream, options.durable);
  for (let taken = 0; taken < 2; taken++) await dying.next();
  await record(aggregate, 1, 2);
  const handled: string[] = [];
  await start({ ...options, handle: async message => void handled.push(nameOf(message)) });
  await waitFor(() => handled.length === 3);
  expect(handled).toEqual(['0', '1', '2']);
});

test('batches come in order from the checkpoint on, and a failed one is repeated first', async () => {
  const [first, second] = [tenant(), tenant()];
  const [skipped] = await record(first, 1);
  const positions = await Promise.all([record(first, 50, 1), record(second, 50)]);
  const projection = startProjection([eventsOf(first), eventsOf(second)], skipped!);
  projection.failNext(2);
  await projection.lane.start();
  await waitFor(() => projection.applied.length === 100);
  expect(projection.applied).toEqual(positions.flat().sort((a, b) => a - b));
  await waitFor(() => projection.lane.healthy);
});

test('a checkpoint beyond the end of the stream stops the projection', async () => {
  const projection = startProjection(['evt.registry.>'], Number.MAX_SAFE_INTEGER - 1);
  void projection.lane.start();
  await waitFor(() => projection.errors.length > 0);
  expect(projection.errors[0]).toMatch(/ahead of its stream/);
  expect(projection.lane.healthy).toBe(false);
});

test('lanes outlive a crash of the server, and projections keep the order', async () => {
  const aggregate = tenant();
  const handled = new Set<number>();
  await start({
    filterSubjects: [eventsOf(aggregate)],
    handle: async ({ position }) => void handled.add(position),
  });
  const projection = startProjection([eventsOf(aggregate)], 0);
  await projection.lane.start();
  const before = await record(aggregate, 40);
  await server.kill();
  await waitFor(() => !bus.isUp && !projection.lane.healthy);
  server = await startNats({ dir, port: server.port });
  await waitFor(() => bus.isUp);
  const all = [...before, ...(await record(aggregate, 40, 40))];
  await waitFor(() => handled.size === 80 && projection.applied.length === 80);
  expect([...handled].sort((a, b) => a - b)).toEqual(all);
  expect(projection.applied).toEqual(all);
  expect(projection.lane.healthy).toBe(true);
}, 30_000);

test('streams in memory are there again after a crash of the server', async () => {
  await server.kill();
  await waitFor(() => !bus.isUp);
  server = await startNats({ dir, port: server.port });
  const handled: string[] = [];
  const lane = new Lane(
    bus,
    {
      stream: 'TELEMETRY',
      durable: newId('lane'),
      filterSubjects: ['telemetry.*.Heartbeat'],
      handle: async ({ subject }) => void handled.push(subject),
    },
    silent,
  );
  lanes.push(lane);
  await lane.start();
  await bus.js.publish('telemetry.node_1.Heartbeat', new Uint8Array());
  await waitFor(() => handled.length === 1);
  expect(handled).toEqual(['telemetry.node_1.Heartbeat']);
}, 30_000);

const tenant = (): AggregateRef => ({ type: 'registry.tenant', id: newId('tenant') });
const eventsOf = ({ type, id }: AggregateRef) => `evt.${type}.${id}.>`;
const names = (count: number, from = 0) => Array.from({ length: count }, (_, index) => `${from + index}`);
const pause = (durationMs: number) => new Promise(resolve => setTimeout(resolve, durationMs));
const nameOf = (message: Delivered) => (recordedFrom(message).event.data as { readonly name: string }).name;

/** Records tenants named by numbers; gives their positions. */
async function record(aggregate: AggregateRef, count: number, from = 0): Promise<number[]> {
  const positions: number[] = [];
  let expectedPosition =
    (await bus.jsm.streams.getMessage(stream, { last_by_subj: eventsOf(aggregate) }))?.seq ?? 0;
  for (const name of names(count, from)) {
    const event = { type: 'TenantRegistered', data: { tenantId: aggregate.id, name } };
    const options = { expectedPosition, commandId: newId('cmd'), metadata };
    expectedPosition = (await store.append(aggregate, [event], options)).position;
    positions.push(expectedPosition);
  }
  return positions;
}

type Handling = Pick<LaneOptions, 'filterSubjects' | 'maxDeliveries' | 'retry'> & {
  readonly durable?: string;
  handle(message: Delivered): Promise<void>;
};

async function start(handling: Handling): Promise<string> {
  const durable = handling.durable ?? newId('lane');
  const lane = new Lane(bus, { stream, ...handling, durable }, silent);
  lanes.push(lane);
  await lane.start();
  return durable;
}

/** A read model as far as order is concerned: positions, the last of which is the checkpoint. */
function startProjection(filterSubjects: readonly string[], startAfter: number) {
  const applied: number[] = [];
  const errors: string[] = [];
  let failures = 0;
  const lane = new Lane(
    bus,
    {
      stream,
      durable: newId('projection'),
      filterSubjects,
      maxInFlight: 16,
      startAfter: async () => applied.at(-1) ?? startAfter,
      async handleBatch(messages) {
        await pause(1);
        if (failures-- > 0) throw new Error('the database is away');
        applied.push(...messages.map(({ position }) => position));
      },
    },
    { ...silent, error: message => errors.push(message) },
  );
  lanes.push(lane);
  return { lane, applied, errors, failNext: (count: number) => (failures = count) };
}

async function deadLettersOf(consumer: string, count = 1) {
  const deadLetters = new DeadLetters(bus);
  for (;;) {
    const listed = await deadLetters.list({ consumer });
    if (listed.length >= count) return listed.map(({ letter }) => letter);
    await pause(20);
  }
}

async function waitFor(holds: () => boolean): Promise<void> {
  while (!holds()) await pause(10);
}
