import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNats, type NatsServer } from '@astro/devstack/nats/server';
import { accept, reject, type Decider } from '@astro/event-sourcing/decider';
import { newId } from '@astro/event-sourcing/ids';
import type { AggregateType } from '@astro/event-sourcing/recorded';
import type { TenantCommand, TenantEvent } from '@astro/messages/registry';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { AggregateStore } from './aggregate-store.js';
import { Bus } from './bus.js';
import { CommandBus } from './command-bus.js';
import { commandLane } from './command-lane.js';
import { EventStore } from './event-store.js';
import { silent } from './log.js';
import { ensureStreams } from './streams.js';

type Guests = { count: number };

/** Changes in place. Every name is kept with how many came before it; some are refused, unwritable or break. */
const guestBook: Decider<Guests, TenantCommand, TenantEvent, 'NameIsForbidden'> = {
  get initialState() {
    return { count: 0 };
  },
  decide({ data }, { count }) {
    if (data.name === 'forbidden') return reject('NameIsForbidden', `after ${count}`);
    if (data.name === 'broken') throw new Error('the decider broke');
    const name = data.name === 'unwritable' ? (undefined as unknown as string) : `${count} ${data.name}`;
    const event = { type: 'TenantRegistered', data: { ...data, name } } as const;
    return data.name === 'a pair' ? accept(event, event) : accept(event);
  },
  evolve(guests) {
    guests.count += 1;
    return guests;
  },
};

const type: AggregateType = 'registry.tenant';
const metadata = { correlationId: 'req-1', causationId: 'req-1', actor: 'operator:o1' };

let dir: string;
let server: NatsServer;
let bus: Bus;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'astro-aggregate-store-'));
  server = await startNats({ dir });
  bus = await Bus.connect({ servers: server.url, name: 'aggregate-store-spec' });
  await ensureStreams(bus);
}, 120_000);

afterAll(async () => {
  await bus.close();
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

/** Counts its appends, which go to the server. */
class CountingStore extends EventStore {
  appends = 0;

  override appendTogether(...args: Parameters<EventStore['appendTogether']>) {
    this.appends += 1;
    return super.appendTogether(...args);
  }
}

const opened = () => {
  const events = new CountingStore(bus);
  return { events, store: new AggregateStore(events, type, guestBook) };
};
type Store = ReturnType<typeof opened>['store'];
const send = (store: Store, tenantId: string, name: string, commandId = newId('cmd')) =>
  store.execute(tenantId, { type: 'RegisterTenant', data: { tenantId, name } }, { commandId, metadata });
const namesOf = async (id: string) =>
  (await new EventStore(bus).load({ type, id })).map(({ event }) => (event as TenantEvent).data.name);
const numbered = (count: number) => Array.from({ length: count }, (_, index) => `guest ${index}`);

test('what comes for one aggregate at the same time is recorded in order, in few appends', async () => {
  const id = newId('tenant');
  const { events, store } = opened();
  const outcomes = await Promise.all(numbered(600).map(name => send(store, id, name)));
  expect(await namesOf(id)).toEqual(numbered(600).map((name, index) => `${index} ${name}`));
  const recorded = await events.load({ type, id });
  expect(outcomes.map(({ position }) => position)).toEqual(recorded.map(({ position }) => position));
  expect(outcomes.every(({ accepted, changed }) => accepted && changed)).toBe(true);
  expect(events.appends).toBeLessThan(10);
});

test('each command hears its own outcome, with the position that it was decided at', async () => {
  const id = newId('tenant');
  const { events, store } = opened();
  await send(store, id, 'first');
  const names = ['forbidden', 'Ada', 'forbidden', 'a pair', 'forbidden'];
  const outcomes = await Promise.all(names.map(name => send(store, id, name)));
  const positions = (await events.load({ type, id })).map(({ position }) => position);
  expect(outcomes.map(({ detail, position, changed }) => [detail, position, changed])).toEqual([
    ['after 1', positions[0], false],
    ['', positions[1], true],
    ['after 2', positions[1], false],
    ['', positions[3], true],
    ['after 4', positions[3], false],
  ]);
});

test('a command that waits twice is recorded once', async () => {
  const id = newId('tenant');
  const { store } = opened();
  const commandId = newId('cmd');
  const twice = [
    send(store, id, 'other'),
    send(store, id, 'Ada', commandId),
    send(store, id, 'Ada', commandId),
  ];
  expect((await Promise.all(twice)).map(({ changed }) => changed)).toEqual([true, true, false]);
  expect(await namesOf(id)).toEqual(['0 other', '1 Ada']);
});

test('commands that another process has recorded are not recorded again', async () => {
  const id = newId('tenant');
  const ids = numbered(20).map(() => newId('cmd'));
  const [first, second] = [opened().store, opened().store];
  await send(second, id, 'before');
  await Promise.all(ids.map(commandId => send(first, id, 'Ada', commandId)));
  const again = await Promise.all([
    ...ids.map(commandId => send(second, id, 'Ada', commandId)),
    send(second, id, 'Grace'),
  ]);
  expect(again.map(({ changed }) => changed)).toEqual([...ids.map(() => false), true]);
  expect(await namesOf(id)).toHaveLength(22);
});

test('refusals alone rest on the latest state, even when another process wrote it', async () => {
  const id = newId('tenant');
  const [stale, other] = [opened().store, opened().store];
  await send(stale, id, 'Ada');
  await send(other, id, 'Grace');
  const refused = await Promise.all(numbered(3).map(() => send(stale, id, 'forbidden')));
  expect(refused.map(({ detail }) => detail)).toEqual(['after 2', 'after 2', 'after 2']);
});

test('races of several processes lose nothing and number nothing twice', async () => {
  const id = newId('tenant');
  const stores = [1, 2, 3].map(() => opened().store);
  const racing = stores.flatMap(store => numbered(50).map(() => send(store, id, 'racer')));
  expect((await Promise.all(racing)).every(({ changed }) => changed)).toBe(true);
  expect(await namesOf(id)).toEqual(Array.from({ length: 150 }, (_, index) => `${index} racer`));
});

test.each(['broken', 'unwritable'])('a %s command leaves those beside it alone', async name => {
  const id = newId('tenant');
  const { store } = opened();
  const [, before, wrong, after] = await Promise.allSettled(
    ['first', 'Ada', name, 'Grace'].map(each => send(store, id, each)),
  );
  expect([before!.status, wrong!.status, after!.status]).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(await namesOf(id)).toEqual(['0 first', '1 Ada', '2 Grace']);
});

test('commands sent one after the other are decided in that order, though many are in flight', async () => {
  const id = newId('tenant');
  const { events, store } = opened();
  const lane = commandLane(bus, { context: 'registry', aggregates: { tenant: store }, log: silent });
  const commands = new CommandBus(bus, newId('requester'));
  const asked = numbered(300).map(name =>
    commands.request(
      { to: { type, id }, type: 'RegisterTenant', data: { tenantId: id, name } },
      { id: newId('cmd'), metadata, timeoutMs: 10_000 },
    ),
  );
  await lane.start();
  expect((await Promise.all(asked)).every(outcome => outcome?.changed)).toBe(true);
  await lane.stop();
  expect(await namesOf(id)).toEqual(numbered(300).map((name, index) => `${index} ${name}`));
  expect(events.appends).toBeLessThan(100);
});
