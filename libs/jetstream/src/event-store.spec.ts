import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newId } from '@astro/event-sourcing/ids';
import type { AggregateRef, Recorded } from '@astro/event-sourcing/recorded';
import { startNats, type NatsServer } from '@astro/devstack/nats/server';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Bus } from './bus.js';
import { ConcurrencyConflict, EventStore } from './event-store.js';
import { ensureStreams } from './streams.js';
import { startUnreliableLine, waitFor } from './unreliable-line.fixture.js';

const metadata = { correlationId: 'req-1', causationId: 'req-1', actor: 'operator:o1', tenantId: 't1' };
const registered = (name: string) => ({ type: 'TenantRegistered', data: { tenantId: 't1', name } });
const tenant = (): AggregateRef => ({ type: 'registry.tenant', id: newId('tenant') });
const after = (expectedPosition: number, commandId = newId('cmd')) => ({
  expectedPosition,
  commandId,
  metadata,
});
const namesOf = (recorded: readonly Recorded[]) =>
  recorded.map(({ event }) => (event.data as { readonly name: string }).name);

let dir: string;
let server: NatsServer;
let bus: Bus;
let store: EventStore;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'astro-event-store-'));
  server = await startNats({ dir });
  bus = await Bus.connect({ servers: server.url, name: 'event-store-spec' });
  await Promise.all([ensureStreams(bus), ensureStreams(bus)]);
  store = new EventStore(bus);
}, 120_000);

afterAll(async () => {
  await bus.close();
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

test('an event comes back with its position, its time and why it happened', async () => {
  const aggregate = tenant();
  const { position, eventIds } = await store.append(aggregate, [registered('Ada')], after(0, 'cmd-of-ada'));
  const [recorded, ...rest] = await store.load(aggregate);
  expect(rest).toEqual([]);
  expect(recorded).toEqual({
    id: eventIds[0],
    aggregate,
    event: registered('Ada'),
    position,
    recordedAt: expect.any(Date),
    metadata: { ...metadata, causationId: 'cmd-of-ada' },
  });
});

test('an aggregate without events is empty', async () => {
  expect(await store.load(tenant())).toEqual([]);
});

test('an append after a position that has passed is a conflict and leaves nothing', async () => {
  const aggregate = tenant();
  const { position } = await store.append(aggregate, [registered('first')], after(0));
  await expect(store.append(aggregate, [registered('late')], after(0))).rejects.toThrow(ConcurrencyConflict);
  await store.append(aggregate, [registered('second')], after(position));
  expect(namesOf(await store.load(aggregate))).toEqual(['first', 'second']);
});

test('of many that race from one position exactly one wins', async () => {
  const aggregate = tenant();
  const racers = Array.from({ length: 20 }, (_, index) =>
    store.append(aggregate, [registered(`${index}`)], after(0)),
  );
  const results = await Promise.allSettled(racers);
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  const losses = results.flatMap(result => (result.status === 'rejected' ? [result.reason as unknown] : []));
  for (const loss of losses) expect(loss).toBeInstanceOf(ConcurrencyConflict);
  expect(await store.load(aggregate)).toHaveLength(1);
});

test('several events are recorded together, and none of them after a lost race', async () => {
  const aggregate = tenant();
  const three = ['a', 'b', 'c'].map(registered);
  const { position, eventIds } = await store.append(aggregate, three, after(0));
  await expect(store.append(aggregate, three, after(0))).rejects.toThrow(ConcurrencyConflict);
  const recorded = await store.load(aggregate);
  expect(namesOf(recorded)).toEqual(['a', 'b', 'c']);
  expect(recorded.map(({ id }) => id)).toEqual(eventIds);
  expect(recorded.at(-1)!.position).toBe(position);
});

test.each([1, 3])('an append of %i events that is repeated is recorded once', async count => {
  const aggregate = tenant();
  const events = Array.from({ length: count }, (_, index) => registered(`${index}`));
  const options = after(0);
  const first = await store.append(aggregate, events, options);
  expect(await store.append(aggregate, events, options)).toEqual(first);
  expect(await store.load(aggregate)).toHaveLength(count);
});

test('a repeated append behind somebody else’s event is a conflict: nobody decides on a hole', async () => {
  const aggregate = tenant();
  const { position } = await store.append(aggregate, [registered('theirs')], after(0));
  const commandId = newId('cmd');
  await store.append(aggregate, [registered('ours')], after(position, commandId));
  await expect(store.append(aggregate, [registered('ours')], after(0, commandId))).rejects.toThrow(
    ConcurrencyConflict,
  );
});

test('a long history is read page by page, and from a position on', async () => {
  const aggregate = tenant();
  let position = 0;
  for (const part of [0, 700]) {
    const events = Array.from({ length: 700 }, (_, index) => registered(`${part + index}`));
    ({ position } = await store.append(aggregate, events, after(position)));
    await store.append(tenant(), [registered('somebody else')], after(0));
  }
  const all = await store.load(aggregate);
  expect(namesOf(all)).toEqual(Array.from({ length: 1_400 }, (_, index) => `${index}`));
  expect(await store.load(aggregate, all[1_000]!.position)).toEqual(all.slice(1_001));
  expect(await store.load(aggregate, position)).toEqual([]);
});

test('following an aggregate gives its past and then its future', async () => {
  const aggregate = tenant();
  const first = await store.append(aggregate, [registered('known')], after(0));
  const second = await store.append(aggregate, [registered('missed')], after(first.position));
  const stop = new AbortController();
  const seen: string[] = [];
  const following = store.follow(aggregate, { afterPosition: first.position, signal: stop.signal });
  for await (const recorded of following) {
    seen.push(...namesOf([recorded]));
    if (seen.length === 1) await store.append(aggregate, [registered('live')], after(second.position));
    if (seen.length === 2) stop.abort();
  }
  expect(seen).toEqual(['missed', 'live']);
});

test('the lost answers to an append of one event and of three are found in the stream', async () => {
  const line = await startUnreliableLine(server.port);
  const remote = await Bus.connect({ servers: `nats://127.0.0.1:${line.port}`, name: 'unreliable' });
  const remoteStore = new EventStore(remote);
  line.loseAnswers();
  const appends = [1, 3].map(count => {
    const aggregate = tenant();
    const events = Array.from({ length: count }, (_, index) => registered(`${index}`));
    return { count, aggregate, appended: remoteStore.append(aggregate, events, after(0)) };
  });
  for (const { aggregate, count } of appends) {
    await waitFor(async () => (await store.load(aggregate)).length === count);
  }
  line.cut();
  for (const { aggregate, count, appended } of appends) {
    const { position } = await appended;
    const recorded = await store.load(aggregate);
    expect(recorded).toHaveLength(count);
    expect(recorded.at(-1)!.position).toBe(position);
  }
  await remote.close();
  line.close();
}, 30_000);
