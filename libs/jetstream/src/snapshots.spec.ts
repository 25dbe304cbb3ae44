import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNats, type NatsServer } from '@astro/devstack/nats/server';
import { accept, type Decider } from '@astro/event-sourcing/decider';
import { newId } from '@astro/event-sourcing/ids';
import type { AggregateRef } from '@astro/event-sourcing/recorded';
import type { TenantCommand, TenantEvent } from '@astro/messages/registry';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { AggregateStore, type AggregateStoreOptions } from './aggregate-store.js';
import { Bus } from './bus.js';
import { EventStore } from './event-store.js';
import { silent } from './log.js';
import { keptStateBefore } from './past-state.js';
import { Snapshots, type Snapshot } from './snapshots.js';
import { ensureStreams } from './streams.js';
import { waitFor } from './unreliable-line.fixture.js';

type Names = readonly string[];
type Guests = Decider<Names, TenantCommand, TenantEvent>;

/** Remembers every name in order, so that an event that is missing or read twice shows. */
const guests: Guests = {
  initialState: [],
  decide: ({ data }, names) =>
    accept(
      ...Array.from({ length: Number(data.name) }, (_, part) => ({
        type: 'TenantRegistered' as const,
        data: { tenantId: data.tenantId, name: `${names.length + part}` },
      })),
    ),
  evolve: (names, { data }) => [...names, data.name],
  snapshot: {
    version: 1,
    encode: names => new TextEncoder().encode(JSON.stringify(names)),
    decode: bytes => JSON.parse(new TextDecoder().decode(bytes)) as Names,
  },
};

const type = 'registry.tenant';
const metadata = { correlationId: 'req-1', causationId: 'req-1', actor: 'operator:o1' };
const tenant = (): AggregateRef => ({ type, id: newId('tenant') });
const upTo = (count: number): Names => Array.from({ length: count }, (_, index) => `${index}`);

let dir: string;
let server: NatsServer;
let bus: Bus;
let events: EventStore;
let snapshots: Snapshots;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'astro-snapshots-'));
  server = await startNats({ dir });
  bus = await Bus.connect({ servers: server.url, name: 'snapshots-spec' });
  await ensureStreams(bus);
  events = new EventStore(bus);
  snapshots = new Snapshots(bus);
}, 120_000);

afterAll(async () => {
  await bus.close();
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

/** What a process knows that has just started. */
const fresh = (decider: Guests = guests, options: AggregateStoreOptions = {}) =>
  new AggregateStore(events, type, decider, { snapshots, eventsBetweenSnapshots: 10, ...options });
const plain = () => new AggregateStore(events, type, guests);

const register = (
  store: ReturnType<typeof fresh>,
  { id }: AggregateRef,
  count = 1,
  commandId = newId('cmd'),
) =>
  store.execute(
    id,
    { type: 'RegisterTenant', data: { tenantId: id, name: `${count}` } },
    { commandId, metadata },
  );

async function written(aggregate: AggregateRef, isWanted: (snapshot: Snapshot) => boolean = () => true) {
  let found: Snapshot | undefined;
  await waitFor(async () => {
    found = await snapshots.read(aggregate);
    return found !== undefined && isWanted(found);
  });
  return found!;
}

test('a snapshot is written every so many events, and read by the next process', async () => {
  const aggregate = tenant();
  const store = fresh();
  for (let count = 0; count < 9; count++) await register(store, aggregate);
  expect(await snapshots.read(aggregate)).toBeUndefined();
  const { position } = await register(store, aggregate);
  expect(await written(aggregate)).toMatchObject({ version: 1, position });
  await register(store, aggregate, 3);
  expect((await fresh().load(aggregate.id)).state).toEqual(upTo(13));
});

test('a load from a snapshot reads only what came after it', async () => {
  const aggregate = tenant();
  await register(fresh(), aggregate, 12);
  const { position } = await written(aggregate);
  const decoded = {
    ...guests,
    evolve: (names: Names, event: TenantEvent) => [...names, `late ${event.data.name}`],
  };
  await register(plain(), aggregate, 2);
  expect((await fresh(decoded).load(aggregate.id)).state).toEqual([...upTo(12), 'late 12', 'late 13']);
  expect(position).toBeGreaterThan(0);
});

test('a snapshot of another version is not read, and is replaced', async () => {
  const aggregate = tenant();
  await register(fresh(), aggregate, 12);
  const { position } = await written(aggregate);
  const decode = (): Names => ['of another version'];
  const next = { ...guests, snapshot: { ...guests.snapshot!, version: 2, decode } };
  expect((await fresh(next).load(aggregate.id)).state).toEqual(upTo(12));
  expect(await written(aggregate, ({ version }) => version === 2)).toMatchObject({ position });
});

test.each([
  ['beyond the end of the stream', { position: 1_000_000 }],
  ['with an event that is not at its position', { eventId: 'evt_of_somebody_else' }],
])('a snapshot %s is not believed', async (_, lie) => {
  const aggregate = tenant();
  await register(fresh(), aggregate, 12);
  const honest = await written(aggregate);
  await snapshots.write(aggregate, { ...honest, ...lie, state: new TextEncoder().encode('["a lie"]') });
  expect((await fresh().load(aggregate.id)).state).toEqual(upTo(12));
});

test('a snapshot that is not one is not read', async () => {
  const aggregate = tenant();
  await register(plain(), aggregate, 12);
  await bus.js.publish(`snapshot.${type}.${aggregate.id}.0`, 'not a snapshot');
  expect((await fresh().load(aggregate.id)).state).toEqual(upTo(12));
});

test('a snapshot whose state cannot be decoded is not read', async () => {
  const aggregate = tenant();
  await register(fresh(), aggregate, 12);
  const honest = await written(aggregate);
  await snapshots.write(aggregate, { ...honest, state: new TextEncoder().encode('not a state') });
  expect((await fresh().load(aggregate.id)).state).toEqual(upTo(12));
});

/** Names that no compression makes short. */
const longNames = (count: number, bytesEach: number): Names =>
  Array.from({ length: count }, () => randomBytes(bytesEach).toString('base64'));

test('a large state is written in parts, and a smaller one after it replaces it whole', async () => {
  const aggregate = tenant();
  await register(fresh(), aggregate, 12);
  const honest = await written(aggregate);
  for (const names of [longNames(400, 9_000), longNames(60, 9_000), longNames(1, 10)]) {
    const state = guests.snapshot!.encode(names);
    await snapshots.write(aggregate, { ...honest, state });
    const parts = await written(aggregate, found => found.state.byteLength === state.byteLength);
    expect(guests.snapshot!.decode(parts.state)).toEqual(names);
  }
  expect((await fresh().load(aggregate.id)).state).toHaveLength(1);
});

test('a snapshot that lacks a part is not read', async () => {
  const aggregate = tenant();
  await register(fresh(), aggregate, 12);
  const honest = await written(aggregate);
  const state = guests.snapshot!.encode(longNames(400, 9_000));
  await snapshots.write(aggregate, { ...honest, position: honest.position - 1, state });
  await bus.jsm.streams.purge('SNAPSHOTS', { filter: `snapshot.${type}.${aggregate.id}.2` });
  expect(await snapshots.read(aggregate)).toBeUndefined();
  expect((await fresh().load(aggregate.id)).state).toEqual(upTo(12));
});

test('a state beyond every limit is not written, and says so', async () => {
  const warnings: string[] = [];
  const log = { ...silent, warn: (message: string) => void warnings.push(message) };
  const aggregate = tenant();
  const state = randomBytes(17 * 1_024 * 1_024);
  const snapshot = { version: 1, position: 1, eventId: 'evt_1', commandIds: [], state };
  await new Snapshots(bus, log).write(aggregate, snapshot);
  expect(warnings).toEqual(['a state is too large for a snapshot']);
  expect(await snapshots.read(aggregate)).toBeUndefined();
});

test('earlier states of a decider that keeps them stay, and the newest before a position is found first', async () => {
  const keeping = { ...guests, snapshot: { ...guests.snapshot!, keepsEarlier: true as const } };
  for (const [decider, kept] of [
    [keeping, 4],
    [guests, 1],
  ] as const) {
    const aggregate = tenant();
    const store = fresh(decider);
    const positions: number[] = [];
    for (let count = 0; count < 4; count++) {
      // Much else happens meanwhile.
      for (let other = 0; other < 5; other++) await register(plain(), tenant(), 256);
      positions.push((await register(store, aggregate, 10)).position);
      await written(aggregate, ({ position }) => position === positions.at(-1));
    }
    const found = async (position: number) => {
      const before: number[] = [];
      for await (const snapshot of snapshots.readBefore(aggregate, position)) before.push(snapshot.position);
      return before;
    };
    const newestFirst = positions.toReversed();
    expect([...new Set(await found(Infinity))]).toEqual(newestFirst.slice(0, kept));
    if (kept > 1) expect(await found(positions[2]! - 1)).toEqual([positions[1], positions[0]]);
    expect(await found(positions[0]! - 1)).toEqual([]);
    const past = await keptStateBefore({ events, snapshots }, aggregate, decider.snapshot!, positions[1]!);
    expect(past).toEqual(kept > 1 ? { state: upTo(20), position: positions[1] } : undefined);
  }
}, 60_000);

test('a short history asks for no snapshot', async () => {
  const aggregate = tenant();
  await register(plain(), aggregate, 9);
  const [last] = (await events.load(aggregate)).slice(-1);
  await snapshots.write(aggregate, {
    version: 1,
    position: last!.position,
    eventId: last!.id,
    commandIds: [],
    state: new TextEncoder().encode('["a lie"]'),
  });
  expect((await fresh().load(aggregate.id)).state).toEqual(upTo(9));
});

test('a command whose events are in the snapshot is known after it', async () => {
  const aggregate = tenant();
  const commandId = newId('cmd');
  const first = await register(fresh(), aggregate, 12, commandId);
  await written(aggregate);
  expect(await register(fresh(), aggregate, 12, commandId)).toEqual({ ...first, changed: false });
  expect(await events.load(aggregate)).toHaveLength(12);
});

test('snapshot and later events give what the whole history gives', async () => {
  const commands = fc.array(fc.record({ count: fc.integer({ min: 1, max: 8 }), restart: fc.boolean() }), {
    minLength: 1,
    maxLength: 20,
  });
  await fc.assert(
    fc.asyncProperty(commands, fc.integer({ min: 1, max: 12 }), async (steps, eventsBetweenSnapshots) => {
      const aggregate = tenant();
      let store = fresh(guests, { eventsBetweenSnapshots });
      for (const { count, restart } of steps) {
        if (restart) store = fresh(guests, { eventsBetweenSnapshots });
        expect(await register(store, aggregate, count)).toMatchObject({ accepted: true, changed: true });
      }
      const whole = await plain().load(aggregate.id);
      expect(await fresh(guests, { eventsBetweenSnapshots }).load(aggregate.id)).toEqual(whole);
      expect(whole.state).toEqual(upTo(steps.reduce((sum, { count }) => sum + count, 0)));
    }),
    { numRuns: 25 },
  );
}, 120_000);
