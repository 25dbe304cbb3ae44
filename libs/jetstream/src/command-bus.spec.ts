import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNats, type NatsServer } from '@astro/devstack/nats/server';
import { accept, reject, type Decider } from '@astro/event-sourcing/decider';
import { newId } from '@astro/event-sourcing/ids';
import type { Reactor } from '@astro/event-sourcing/reactor';
import type { AggregateType } from '@astro/event-sourcing/recorded';
import type { TenantCommand, TenantEvent } from '@astro/messages/registry';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { AggregateStore } from './aggregate-store.js';
import { Bus } from './bus.js';
import { CommandBus } from './command-bus.js';
import { commandLane } from './command-lane.js';
import { EventStore } from './event-store.js';
import type { Lane } from './lane.js';
import { silent } from './log.js';
import { reactorUnit } from './reactor-lane.js';
import { ensureStreams } from './streams.js';

/** Every registration is kept and numbered by how many came before it; the name "forbidden" is refused. */
const guestBook: Decider<number, TenantCommand, TenantEvent, 'NameIsForbidden'> = {
  initialState: 0,
  decide({ data }, count) {
    if (data.name === 'forbidden') return reject('NameIsForbidden', `after ${count}`);
    if (data.name === 'nothing new') return accept();
    const tenantRegistered = (part: string) =>
      ({ type: 'TenantRegistered', data: { ...data, name: `${count}${part} ${data.name}` } }) as const;
    return data.name === 'a pair'
      ? accept(tenantRegistered('a'), tenantRegistered('b'))
      : accept(tenantRegistered(''));
  },
  evolve: count => count + 1,
};

const type: AggregateType = 'registry.tenant';
const metadata = { correlationId: 'req-1', causationId: 'req-1', actor: 'operator:o1', tenantId: 't1' };

let dir: string;
let server: NatsServer;
let bus: Bus;
let store: EventStore;
let commands: CommandBus;
const lanes: Lane[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'astro-command-bus-'));
  server = await startNats({ dir });
  bus = await Bus.connect({ servers: server.url, name: 'command-bus-spec' });
  await ensureStreams(bus);
  store = new EventStore(bus);
  commands = new CommandBus(bus, 'first-gateway');
  const aggregates = { tenant: new AggregateStore(store, type, guestBook) };
  lanes.push(commandLane(bus, { context: 'registry', aggregates, log: silent }));
  await Promise.all(lanes.map(lane => lane.start()));
}, 120_000);

afterAll(async () => {
  await Promise.all(lanes.map(lane => lane.stop()));
  await bus.close();
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

test('the outcome of a command reaches who asked for it, with the position to read at', async () => {
  const id = newId('tenant');
  const commandId = newId('cmd');
  const outcome = await request(id, 'Ada', commandId);
  const [recorded] = await load(id);
  expect(outcome).toEqual({
    commandId,
    accepted: true,
    rejection: '',
    detail: '',
    position: recorded!.position,
    changed: true,
  });
  expect(recorded!.metadata).toEqual({ ...metadata, causationId: commandId });
});

test('a refusal says why and leaves nothing', async () => {
  const id = newId('tenant');
  expect(await request(id, 'forbidden')).toMatchObject({
    accepted: false,
    rejection: 'NameIsForbidden',
    detail: 'after 0',
    changed: false,
  });
  expect(await load(id)).toEqual([]);
});

test('accepting without events changes nothing', async () => {
  const id = newId('tenant');
  await request(id, 'Ada');
  expect(await request(id, 'nothing new')).toMatchObject({ accepted: true, changed: false });
  expect(await load(id)).toHaveLength(1);
});

test('a command sent twice is recorded once, and a late requester still hears its outcome', async () => {
  const id = newId('tenant');
  const commandId = newId('cmd');
  const first = await request(id, 'Ada', commandId);
  const late = new CommandBus(bus, 'second-gateway');
  expect(await request(id, 'Ada', commandId, late)).toEqual(first);
  expect(await load(id)).toHaveLength(1);
});

test.each(['Ada', 'a pair'])('a redelivered command is recorded once, by any process: %s', async name => {
  const id = newId('tenant');
  const options = { commandId: newId('cmd'), metadata };
  const command = registration(id, name);
  const warm = new AggregateStore(store, type, guestBook);
  const first = await warm.execute(id, command, options);
  await warm.execute(id, registration(id, 'Grace'), { ...options, commandId: newId('cmd') });
  const count = (await load(id)).length;
  const cold = new AggregateStore(store, type, guestBook);
  for (const process of [warm, cold]) {
    expect(await process.execute(id, command, options)).toMatchObject({ accepted: true, changed: false });
  }
  expect(first.changed).toBe(true);
  expect(await load(id)).toHaveLength(count);
});

test('a lost race is decided again on the new state', async () => {
  const id = newId('tenant');
  const processes = [1, 2, 3].map(() => new AggregateStore(store, type, guestBook));
  const racing = processes.flatMap(process =>
    Array.from({ length: 10 }, () =>
      process.execute(id, registration(id, 'racer'), { commandId: newId('cmd'), metadata }),
    ),
  );
  expect((await Promise.all(racing)).every(({ changed }) => changed)).toBe(true);
  const names = (await load(id)).map(({ event }) => (event as TenantEvent).data.name);
  expect(names).toEqual(Array.from({ length: 30 }, (_, index) => `${index} racer`));
});

test('a refusal rests on the latest state, even when another process wrote it', async () => {
  const id = newId('tenant');
  const [stale, other] = [1, 2].map(() => new AggregateStore(store, type, guestBook));
  const options = () => ({ commandId: newId('cmd'), metadata });
  await stale!.execute(id, registration(id, 'Ada'), options());
  await other!.execute(id, registration(id, 'Grace'), options());
  const refused = await stale!.execute(id, registration(id, 'forbidden'), options());
  expect(refused.detail).toBe('after 2');
});

test('an outcome that is not known in time is undefined, and the command still counts', async () => {
  const id = newId('tenant');
  await lanes[0]!.stop();
  const asked = { id: newId('cmd'), metadata, timeoutMs: 50 };
  expect(await commands.request({ to: { type, id }, ...registration(id, 'Ada') }, asked)).toBeUndefined();
  lanes[0] = commandLane(bus, {
    context: 'registry',
    aggregates: { tenant: new AggregateStore(store, type, guestBook) },
    log: silent,
  });
  await lanes[0].start();
  const outcome = await commands.request(
    { to: { type, id }, ...registration(id, 'Ada') },
    { ...asked, timeoutMs: 5_000 },
  );
  expect(outcome).toMatchObject({ accepted: true, changed: true });
});

test('a reactor turns an event into one command, however often the event is delivered', async () => {
  const [source, target] = [newId('tenant'), newId('tenant')];
  const welcome: Reactor = {
    name: 'registry.welcome',
    reads: [type],
    react: ({ aggregate, event }) =>
      aggregate.id === source && (event as TenantEvent).data.name === '0 Ada'
        ? [{ to: { type, id: target }, ...registration(target, 'welcome') }]
        : [],
  };
  const durable = 'registry_welcome_reactor';
  const [first, second] = [1, 2].map(epoch =>
    reactorUnit(bus, welcome, commands, silent).open({ epoch, afterDeath: false, isHeld: true }),
  );
  await first!.start();
  await request(source, 'Ada');
  while ((await load(target)).length === 0) await new Promise(resolve => setTimeout(resolve, 10));
  await first!.stop();
  await bus.jsm.consumers.delete('EVT_REGISTRY', durable);
  await second!.start();
  await request(source, 'Grace');
  while ((await bus.jsm.consumers.info('EVT_REGISTRY', durable)).num_pending > 0) {
    await new Promise(resolve => setTimeout(resolve, 10));
  }
  await second!.stop();
  await request(target, 'last');
  const recorded = await load(target);
  expect(recorded.map(({ event }) => (event as TenantEvent).data.name)).toEqual(['0 welcome', '1 last']);
  expect(recorded[0]!.metadata).toMatchObject({ correlationId: 'req-1', actor: 'service:registry.welcome' });
});

const load = (id: string) => store.load({ type, id });
const registration = (tenantId: string, name: string) =>
  ({ type: 'RegisterTenant', data: { tenantId, name } }) as const;

function request(id: string, name: string, commandId = newId('cmd'), from = commands) {
  const options = { id: commandId, metadata, timeoutMs: 5_000 };
  return from.request({ to: { type, id }, ...registration(id, name) }, options);
}
