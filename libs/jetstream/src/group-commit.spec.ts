import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNats, type NatsServer } from '@astro/devstack/nats/server';
import { newId } from '@astro/event-sourcing/ids';
import type { AggregateRef } from '@astro/event-sourcing/recorded';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Outgoing } from './atomic-batch.js';
import { Bus } from './bus.js';
import { CommandBus } from './command-bus.js';
import { ConcurrencyConflict, EventStore } from './event-store.js';
import { GroupCommit } from './group-commit.js';
import { headerLine } from './headers.js';
import { replay } from './replay.js';
import { ensureStreams } from './streams.js';
import { startUnreliableLine, waitFor } from './unreliable-line.fixture.js';

const metadata = { correlationId: 'req-1', causationId: 'req-1', actor: 'operator:o1' };
const registered = (name: string) => ({ type: 'TenantRegistered', data: { tenantId: 't1', name } });
const tenant = (): AggregateRef => ({ type: 'registry.tenant', id: newId('tenant') });
const tenants = (count: number) => Array.from({ length: count }, tenant);
const after = (expectedPosition: number, commandId = newId('cmd')) => ({
  expectedPosition,
  commandId,
  metadata,
});
const refused = (results: readonly PromiseSettledResult<unknown>[]) =>
  results.flatMap((result, index) => (result.status === 'rejected' ? [index] : []));

let dir: string;
let server: NatsServer;
let bus: Bus;
let store: EventStore;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'astro-group-commit-'));
  server = await startNats({ dir });
  bus = await Bus.connect({ servers: server.url, name: 'group-commit-spec' });
  await ensureStreams(bus);
  store = new EventStore(bus);
}, 120_000);

afterAll(async () => {
  await bus.close();
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

const batchesOf = async (aggregates: readonly AggregateRef[]): Promise<ReadonlySet<string>> => {
  const wanted = new Set(aggregates.map(({ id }) => id));
  const { last_seq } = (await bus.jsm.streams.info('EVT_REGISTRY')).state;
  const found = new Set<string>();
  for (let seq = 1; seq <= last_seq; seq++) {
    const message = await bus.jsm.direct.getMessage('EVT_REGISTRY', { seq });
    if (message && wanted.has(message.subject.split('.')[3]!)) found.add(message.header.get('Nats-Batch-Id'));
  }
  return found;
};

test('appends at the same time share one batch, and each learns its own position', async () => {
  const aggregates = tenants(50);
  const appended = await Promise.all(
    aggregates.map((aggregate, index) => {
      const events = Array.from({ length: 1 + (index % 3) }, (_, part) => registered(`${index}-${part}`));
      return store.append(aggregate, events, after(0));
    }),
  );
  for (const [index, aggregate] of aggregates.entries()) {
    const recorded = await store.load(aggregate);
    expect(recorded.map(({ id }) => id)).toEqual(appended[index]!.eventIds);
    expect(recorded.at(-1)!.position).toBe(appended[index]!.position);
  }
  expect((await batchesOf(aggregates)).size).toBe(1);
});

test('a few appends at the same time need no batch, and each learns its own position', async () => {
  const aggregates = tenants(12);
  const appended = await Promise.all(
    aggregates.map(aggregate => store.append(aggregate, [registered('a')], after(0))),
  );
  for (const [index, aggregate] of aggregates.entries())
    expect((await store.load(aggregate)).map(({ position }) => position)).toEqual([
      appended[index]!.position,
    ]);
  expect([...(await batchesOf(aggregates))]).toEqual(['']);
});

test.each([3, 40])('of %i appends at the same time, a conflict hurts only the loser', async count => {
  const aggregates = tenants(count);
  const loser = count >> 1;
  await store.append(aggregates[loser]!, [registered('somebody was first')], after(0));
  const results = await Promise.allSettled(
    aggregates.map(aggregate => store.append(aggregate, [registered('mine')], after(0))),
  );
  expect(refused(results)).toEqual([loser]);
  expect(results[loser]).toMatchObject({ reason: expect.any(ConcurrencyConflict) });
  for (const aggregate of aggregates) expect(await store.load(aggregate)).toHaveLength(1);
});

test('an append that is repeated among others is recorded once', async () => {
  const aggregates = tenants(40);
  const repeated = after(0);
  const first = await store.append(aggregates[7]!, [registered('once')], repeated);
  const results = await Promise.all(
    aggregates.map((aggregate, index) =>
      store.append(aggregate, [registered('once')], index === 7 ? repeated : after(0)),
    ),
  );
  expect(results[7]).toEqual(first);
  for (const aggregate of aggregates) expect(await store.load(aggregate)).toHaveLength(1);
});

test('an event that cannot be sent hurts nobody else', async () => {
  const [sound, broken, other] = tenants(3);
  const results = await Promise.allSettled([
    store.append(sound!, [registered('a')], after(0)),
    store.append(broken!, [registered('b')], {
      ...after(0),
      metadata: { ...metadata, actor: 'operator:o1\r\nNats-Rollup: all' },
    }),
    store.append(other!, [registered('c')], after(0)),
  ]);
  expect(refused(results)).toEqual([1]);
  expect(await store.load(sound!)).toHaveLength(1);
  expect(await store.load(broken!)).toHaveLength(0);
  expect(await store.load(other!)).toHaveLength(1);
});

test('units with the same key are stored one after the other, in their order', async () => {
  const commit = new GroupCommit(bus);
  const { id } = tenant();
  const message = (part: number): Outgoing => ({
    subject: `cmd.registry.tenant.${id}.Part${part}`,
    data: new Uint8Array([part]),
    headers: headerLine('Nats-Msg-Id', `${id}-${part}`),
  });
  const stored = await Promise.all(
    [1, 2, 3].map(part => commit.store({ messages: [message(part)], key: id })),
  );
  const positions = stored.map(({ seq }) => seq);
  expect(positions).toEqual([...positions].sort((a, b) => a - b));
  for (const seq of positions) {
    const found = await bus.jsm.streams.getMessage('CMD_REGISTRY', { seq });
    expect(found!.header.has('Nats-Batch-Id')).toBe(false);
  }
});

test('more than 10,000 writes that wait behind a full batch are refused, and those before them are not', async () => {
  const commit = new GroupCommit(bus);
  const id = newId('flood');
  const writes = Array.from({ length: 10_513 }, (_, index) =>
    commit.store({
      messages: [
        { subject: `cmd.registry.tenant.${id}.Flood`, data: new Uint8Array([index % 256]), headers: '' },
      ],
      key: `${index}`,
    }),
  );
  expect(refused(await Promise.allSettled(writes))).toEqual([10_512]);
}, 60_000);

test('the lost answer to a batch is found in the stream for each of its members', async () => {
  const line = await startUnreliableLine(server.port);
  const remote = await Bus.connect({ servers: `nats://127.0.0.1:${line.port}`, name: 'unreliable' });
  const remoteStore = new EventStore(remote);
  const aggregates = tenants(30);
  line.loseAnswers();
  const appends = aggregates.map((aggregate, index) =>
    remoteStore.append(aggregate, [registered(`${index}`)], after(0)),
  );
  await waitFor(async () => (await store.load(aggregates.at(-1))).length === 1);
  line.cut();
  const appended = await Promise.all(appends);
  for (const [index, aggregate] of aggregates.entries()) {
    const recorded = await store.load(aggregate);
    expect(recorded.map(({ id, position }) => ({ id, position }))).toEqual([
      { id: appended[index]!.eventIds[0], position: appended[index]!.position },
    ]);
  }
  await remote.close();
  line.close();
}, 30_000);

test('a connection that is cut while a batch gathers loses nothing and repeats nothing', async () => {
  const line = await startUnreliableLine(server.port);
  const remote = await Bus.connect({ servers: `nats://127.0.0.1:${line.port}`, name: 'cut' });
  const remoteStore = new EventStore(remote);
  for (let round = 0; round < 2; round++) {
    const aggregates = tenants(30);
    const appends = aggregates.map((aggregate, index) =>
      remoteStore.append(aggregate, [registered(`${index}`)], after(0)),
    );
    // The first of them are in the socket by now; the last is sent in a later turn.
    line.cut();
    const appended = await Promise.all(appends);
    for (const [index, aggregate] of aggregates.entries()) {
      const recorded = await store.load(aggregate);
      expect(recorded.map(({ id }) => id)).toEqual(appended[index]!.eventIds);
      expect(recorded[0]!.position).toBe(appended[index]!.position);
    }
  }
  await remote.close();
  line.close();
}, 60_000);

test('two stores that race for the same aggregates keep every event once', async () => {
  const other = await Bus.connect({ servers: server.url, name: 'rival' });
  const aggregates = tenants(25);
  const { last_seq } = (await bus.jsm.streams.info('EVT_REGISTRY')).state;
  const rounds = 8;
  /** Appends once to each aggregate in each round, as often as the race demands. */
  const race = async (rival: EventStore, name: string): Promise<readonly string[]> => {
    const ids: string[] = [];
    for (let round = 0; round < rounds; round++) {
      const won = aggregates.map(async aggregate => {
        const commandId = newId('cmd');
        for (;;) {
          const position = (await rival.load(aggregate)).at(-1)?.position ?? 0;
          try {
            const { eventIds } = await rival.append(
              aggregate,
              [registered(`${name}${round}`)],
              after(position, commandId),
            );
            return eventIds[0]!;
          } catch (error) {
            if (!(error instanceof ConcurrencyConflict)) throw error;
          }
        }
      });
      ids.push(...(await Promise.all(won)));
    }
    return ids;
  };
  const acknowledged = (await Promise.all([race(store, 'a'), race(new EventStore(other), 'b')])).flat();
  const recorded: string[] = [];
  for await (const { id } of replay(bus, 'registry', last_seq)) recorded.push(id);
  expect(recorded).toHaveLength(2 * rounds * aggregates.length);
  expect([...recorded].sort()).toEqual([...acknowledged].sort());
  await other.close();
}, 120_000);

test('commands at the same time share a batch; one that was sent before hurts nobody', async () => {
  const commands = new CommandBus(bus, 'batching');
  const send = (id: string) =>
    commands.send(
      { to: tenant(), type: 'RegisterTenant', data: { tenantId: 't1', name: 'Ada' } },
      { id, metadata },
    );
  const before = (await bus.jsm.streams.info('CMD_REGISTRY')).state.last_seq;
  const ids = Array.from({ length: 40 }, () => newId('cmd'));
  await send(ids[20]!);
  await Promise.all([...ids, ids[0]!].map(send));
  const { last_seq } = (await bus.jsm.streams.info('CMD_REGISTRY')).state;
  expect(last_seq - before).toBe(ids.length);
});
