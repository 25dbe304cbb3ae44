import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNats, type NatsServer } from '@astro/devstack/nats/server';
import { newId } from '@astro/event-sourcing/ids';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { Bus } from './bus.js';
import { DeadLetters } from './dead-letters.js';
import { EventStore } from './event-store.js';
import { Lane, recordedFrom, type Delivered } from './lane.js';
import { silent } from './log.js';
import { SharedWork, type Unit } from './shared-work.js';
import { ensureStreams } from './streams.js';

const metadata = { correlationId: 'req-1', causationId: 'req-1', actor: 'service:spec' };
const stream = 'EVT_REGISTRY';
const unitNames = [0, 1, 2, 3].map(index => `lane-${index}`);

let dir: string;
let server: NatsServer;
let bus: Bus;
let store: EventStore;
const ends: (() => Promise<void>)[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'astro-shared-work-'));
  server = await startNats({ dir });
  bus = await Bus.connect({ servers: server.url, name: 'shared-work-spec' });
  await ensureStreams(bus);
  store = new EventStore(bus);
}, 120_000);

afterEach(async () => {
  await Promise.all(ends.splice(0).map(end => end()));
}, 30_000);

afterAll(async () => {
  await bus.close();
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

test('who joins gets half of the units, and who leaves gives them back at once', async () => {
  const service = newId('svc');
  const first = await enter(service, idle);
  expect(first.held()).toEqual(unitNames);
  const second = await enter(service, idle);
  await waitFor(() => first.held().length === 2 && second.held().length === 2);
  expect([...first.held(), ...second.held()].sort()).toEqual(unitNames);
  await first.work.stop();
  await waitFor(() => second.held().length === 4);
  expect(first.held()).toEqual([]);
});

test('a handover finishes what is in flight before the next begins, and repeats nothing', async () => {
  const service = newId('svc');
  const aggregates = unitNames.map(() => newId('tenant'));
  const seen: string[] = [];
  const lanes = (name: string) =>
    laneUnits(service, aggregates, async message => {
      seen.push(`${name} begins ${labelOf(message)}`);
      await pause(20);
      seen.push(`${name} ends ${labelOf(message)}`);
    });
  const first = await enter(service, lanes('first'));
  for (const id of aggregates) await record(id, 20);
  const second = await enter(service, lanes('second'));
  await waitFor(() => seen.length >= 160);
  expect(first.handled() + second.handled()).toBe(80);
  expect(Math.min(first.handled(), second.handled())).toBeGreaterThan(0);
  for (const id of aggregates) {
    const own = seen.filter(line => line.endsWith(` ${id}`) || line.includes(`${id} `));
    const expected = names(20).flatMap(name => [`begins ${id} ${name}`, `ends ${id} ${name}`]);
    expect(own.map(line => line.slice(line.indexOf(' ') + 1))).toEqual(expected);
  }
}, 30_000);

test('what a process had when it died is taken over in order, and then what came after it', async () => {
  const service = newId('svc');
  const id = newId('tenant');
  const dying = await joinApart(service, laneUnits(service, [id], untilTheEnd));
  await record(id, 3);
  await waitFor(async () => (await pendingAcks(service)) === 3);
  dying.die();
  await record(id, 3, 3);
  const handled: string[] = [];
  await enter(
    service,
    laneUnits(service, [id], async message => void handled.push(nameOf(message))),
  );
  await waitFor(() => handled.length === 6);
  expect(handled).toEqual(names(6));
}, 30_000);

test('a process that sleeps through its end handles nothing any more when it wakes', async () => {
  const service = newId('svc');
  const id = newId('tenant');
  const handled: string[] = [];
  let isHeld = true;
  const fence = {
    epoch: 1,
    afterDeath: false,
    get isHeld() {
      return isHeld;
    },
  };
  const [unit] = laneUnits(service, [id], async message => void handled.push(`old ${nameOf(message)}`));
  const old = unit!.open(fence);
  ends.push(() => old.stop());
  await old.start();
  const [next] = laneUnits(service, [id], async message => void handled.push(`new ${nameOf(message)}`));
  const taken = next!.open({ epoch: 2, afterDeath: true, isHeld: true });
  ends.push(() => taken.stop());
  await taken.start();
  // The old one still believes that it holds the unit: it is the server that refuses its pulls.
  await record(id, 20);
  await waitFor(() => handled.length === 20);
  expect(handled).toEqual(names(20).map(name => `new ${name}`));
  isHeld = false;
}, 30_000);

test('a message that ends every process which takes it becomes a dead letter, and no other one does', async () => {
  const service = newId('svc');
  const id = newId('tenant');
  const killer = '2';
  await record(id, 4);
  const handled: string[] = [];
  let deaths = 0;
  for (let epoch = 1; handled.at(-1) !== '3'; epoch++) {
    const own = await Bus.connect({ servers: server.url, name: `mortal-${epoch}` });
    let died = false;
    const handle = async (message: Delivered) => {
      if (nameOf(message) === killer) {
        died = true;
        await untilTheEnd();
      }
      handled.push(nameOf(message));
    };
    const [unit] = laneUnits(service, [id], handle, own);
    const lane = unit!.open({
      epoch,
      afterDeath: epoch > 1,
      get isHeld() {
        return !died;
      },
    });
    ends.push(() => lane.stop());
    await lane.start();
    await waitFor(() => died || handled.at(-1) === '3');
    if (died) deaths += 1;
    await own.connection.close();
  }
  const letters = await new DeadLetters(bus).list({ consumer: `${service}-0` });
  expect(letters.map(({ letter }) => letter.reason)).toEqual(['every attempt ended its process']);
  expect(deaths).toBe(4);
  expect(handled.filter((name, index) => handled.indexOf(name) === index)).toEqual(['0', '1', '3']);
}, 60_000);

const names = (count: number, from = 0) => Array.from({ length: count }, (_, index) => `${from + index}`);
const pause = (durationMs: number) => new Promise(resolve => setTimeout(resolve, durationMs));
const nameOf = (message: Delivered) => (recordedFrom(message).event.data as { readonly name: string }).name;
const labelOf = (message: Delivered) => `${recordedFrom(message).aggregate.id} ${nameOf(message)}`;
const idle = unitNames.map(name => ({
  name,
  open: () => ({ start: nothing, stop: nothing, healthy: true }),
}));
const untilTheEnd = () => new Promise<void>(resolve => void ends.push(async () => resolve()));
const nothing = () => Promise.resolve();

/** One lane for each aggregate. */
function laneUnits(
  service: string,
  aggregates: readonly string[],
  handle: (message: Delivered) => Promise<void>,
  on = bus,
): Unit[] {
  return aggregates.map((id, index) => ({
    name: `lane-${index}`,
    open: fence =>
      new Lane(
        on,
        {
          stream,
          durable: `${service}-${index}`,
          filterSubjects: [`evt.registry.tenant.${id}.>`],
          maxDeliveries: 4,
          handle,
          fence,
        },
        silent,
      ),
  }));
}

async function enter(service: string, units: readonly Unit[], on = bus) {
  const work = new SharedWork(on, service, silent);
  for (const unit of units) work.add(unit);
  ends.push(() => work.stop());
  await work.start();
  return {
    work,
    held: () => work.report().units.flatMap(({ name, isHeld }) => (isHeld ? [name] : [])),
    handled: () => work.report().units.reduce((sum, { handled }) => sum + handled, 0),
  };
}

/** A member with a connection of its own, which ends as it does when the process dies. */
async function joinApart(service: string, units: Unit[]) {
  const own = await Bus.connect({ servers: server.url, name: 'apart' });
  const member = await enter(service, units, own);
  return { ...member, die: () => void own.connection.close() };
}

async function pendingAcks(service: string): Promise<number> {
  return (await bus.jsm.consumers.info(stream, `${service}-0`)).num_ack_pending;
}

/** Records tenants named by numbers. */
async function record(id: string, count: number, from = 0): Promise<void> {
  const aggregate = { type: 'registry.tenant', id } as const;
  const last = (await store.load(aggregate)).at(-1);
  let expectedPosition = last?.position ?? 0;
  for (const name of names(count, from)) {
    const event = { type: 'TenantRegistered', data: { tenantId: id, name } };
    const options = { expectedPosition, commandId: newId('cmd'), metadata };
    expectedPosition = (await store.append(aggregate, [event], options)).position;
  }
}

async function waitFor(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await pause(10);
}
