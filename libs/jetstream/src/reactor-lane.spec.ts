import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNats, type NatsServer } from '@astro/devstack/nats/server';
import { accept, type Decider } from '@astro/event-sourcing/decider';
import { newId } from '@astro/event-sourcing/ids';
import type { Reactor } from '@astro/event-sourcing/reactor';
import type { AggregateType } from '@astro/event-sourcing/recorded';
import type { TenantCommand, TenantEvent } from '@astro/messages/registry';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { AggregateStore } from './aggregate-store.js';
import { Bus } from './bus.js';
import { CommandBus } from './command-bus.js';
import { commandLane } from './command-lane.js';
import { EventStore } from './event-store.js';
import type { Part } from './holding.js';
import type { Lane } from './lane.js';
import { silent } from './log.js';
import { reactorUnit } from './reactor-lane.js';
import { ensureStreams } from './streams.js';

const type: AggregateType = 'registry.tenant';
const metadata = { correlationId: 'req-1', causationId: 'req-1', actor: 'operator:o1' };

/** Whatever it is told is kept, a repetition too. */
const guestBook: Decider<number, TenantCommand, TenantEvent> = {
  initialState: 0,
  decide: ({ data }) => accept({ type: 'TenantRegistered', data }),
  evolve: count => count + 1,
};

let dir: string;
let server: NatsServer;
let bus: Bus;
let store: EventStore;
let commands: CommandBus;
let deciding: Lane;
let epoch = 0;
const reacting: Part[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'astro-reactor-lane-'));
  server = await startNats({ dir });
  bus = await Bus.connect({ servers: server.url, name: 'reactor-lane-spec' });
  await ensureStreams(bus);
  store = new EventStore(bus);
  commands = new CommandBus(bus, 'reactor-lane-spec');
  const aggregates = { tenant: new AggregateStore(store, type, guestBook) };
  deciding = commandLane(bus, { context: 'registry', aggregates, log: silent });
  await deciding.start();
}, 120_000);

afterEach(async () => {
  await Promise.all(reacting.splice(0).map(lane => lane.stop()));
});

afterAll(async () => {
  await deciding.stop();
  await bus.close();
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

test('of one aggregate, what an unordered reactor cannot send yet holds up nothing and is not lost', async () => {
  const source = newId('tenant');
  await record(source, ['a', 'b', 'c']);
  const failed = signal();
  let isRefused = true;
  await react(greeting(source, { isUnordered: true }), async name => {
    if (name !== 'b' || !isRefused) return;
    failed.give();
    throw new Error('not yet');
  });
  await failed.given;
  await greeted(source, ['a', 'c']);
  expect(await namesOf(greetingOf(source, 'b'))).toEqual([]);
  isRefused = false;
  await greeted(source, ['b']);
  for (const name of ['a', 'b', 'c']) expect(await namesOf(greetingOf(source, name))).toEqual([name]);
});

test('of one aggregate, an ordered reactor sends nothing before what it cannot send yet', async () => {
  const source = newId('tenant');
  await record(source, ['a', 'b', 'c']);
  const tried: string[] = [];
  let failures = 2;
  await react(greeting(source), async name => {
    tried.push(name);
    if (name === 'b' && failures-- > 0) throw new Error('not yet');
  });
  await greeted(source, ['a', 'b', 'c']);
  expect(tried).toEqual(['a', 'b', 'b', 'b', 'c']);
});

test('an unordered reactor sends side by side, and has each effect once however often events come', async () => {
  const source = newId('tenant');
  const names = Array.from({ length: 40 }, (_, index) => `guest-${index}`);
  await record(source, names);
  const reactor = greeting(source, { isUnordered: true });
  const together = signal();
  let underWay = 0;
  // None goes on before twenty are under way, which those of one queue never are.
  await react(reactor, async () => {
    if (++underWay === 20) together.give();
    await together.given;
  });
  await greeted(source, names);
  await reacting.pop()!.stop();

  await bus.jsm.consumers.delete('EVT_REGISTRY', consumerOf(reactor));
  let again = 0;
  await react(reactor, async () => void (again += 1));
  await record(source, ['last']);
  await greeted(source, ['last']);
  await until(async () => again === names.length + 1);
  for (const name of [...names, 'last']) expect(await namesOf(greetingOf(source, name))).toEqual([name]);
});

/** For each guest of `source`, a tenant of its own is told the guest's name. */
const greeting = (source: string, options: Pick<Reactor, 'isUnordered'> = {}): Reactor => ({
  name: `registry.greet-${source}`,
  reads: [type],
  ...options,
  react: ({ aggregate, event }) => {
    const { name } = (event as TenantEvent).data;
    const id = greetingOf(source, name);
    const command = { type: 'RegisterTenant', data: { tenantId: id, name } } as const;
    return aggregate.id === source ? [{ to: { type, id }, ...command }] : [];
  },
});

const greetingOf = (source: string, name: string) => `${source}-${name}`;
const consumerOf = ({ name }: Reactor) => `${name.replace('.', '_')}_reactor`;

/** @param before what happens to a command on its way, by the name in it */
async function react(reactor: Reactor, before: (name: string) => Promise<void>): Promise<void> {
  const way: Pick<CommandBus, 'send'> = {
    async send(command, options) {
      await before((command as unknown as TenantCommand).data.name);
      await commands.send(command, options);
    },
  };
  epoch += 1;
  const lane = reactorUnit(bus, reactor, way, silent).open({ epoch, afterDeath: false, isHeld: true });
  reacting.push(lane);
  await lane.start();
}

async function record(source: string, names: readonly string[]): Promise<void> {
  const events = names.map(name => ({ type: 'TenantRegistered', data: { tenantId: source, name } }));
  const expectedPosition = (await store.load({ type, id: source })).at(-1)?.position ?? 0;
  await store.append({ type, id: source }, events, { expectedPosition, commandId: newId('cmd'), metadata });
}

const namesOf = async (id: string) =>
  (await store.load({ type, id })).map(({ event }) => (event as TenantEvent).data.name);

const greeted = (source: string, names: readonly string[]) =>
  until(async () => {
    for (const name of names) if ((await namesOf(greetingOf(source, name))).length === 0) return false;
    return true;
  });

function signal() {
  let give = (): void => undefined;
  const given = new Promise<void>(resolve => (give = resolve));
  return { given, give: () => give() };
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise(resolve => setTimeout(resolve, 10));
}
