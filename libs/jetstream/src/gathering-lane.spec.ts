import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNats, type NatsServer } from '@astro/devstack/nats/server';
import { accept, reject, type Decider } from '@astro/event-sourcing/decider';
import { newId } from '@astro/event-sourcing/ids';
import type { AggregateType } from '@astro/event-sourcing/recorded';
import type { GatheringReactor } from '@astro/event-sourcing/reactor';
import type { AccountCommand, AccountEvent, FundsTransferred } from '@astro/messages/billing';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { AggregateStore } from './aggregate-store.js';
import { Bus } from './bus.js';
import { CommandBus } from './command-bus.js';
import { commandLane } from './command-lane.js';
import { EventStore } from './event-store.js';
import { gatheringUnit } from './gathering-lane.js';
import type { Part } from './holding.js';
import type { Lane } from './lane.js';
import { silent } from './log.js';
import { ensureStreams } from './streams.js';

const type: AggregateType = 'billing.account';
const metadata = { correlationId: 'req-1', causationId: 'req-1', actor: 'service:spec' };
const fence = { epoch: 1, afterDeath: false, isHeld: true };

/** Takes what lies beyond the last position that it took and records how much that was, unless it is told to refuse. */
const refusing = { times: 0 };
const receiver: Decider<number, AccountCommand, AccountEvent, 'NotNow'> = {
  initialState: 0,
  decide({ type, data }, through) {
    if (type !== 'ReceiveTransfers') throw new Error(`${type} is not for this`);
    if (refusing.times > 0) {
      refusing.times -= 1;
      return reject('NotNow');
    }
    const fresh = data.transfers.filter(({ position }) => position > through);
    const throughPosition = fresh.at(-1)?.position;
    if (throughPosition === undefined) return accept();
    const { tenantId } = data;
    const received = { tenantId, throughPosition, transfers: fresh.length, postings: [] };
    return accept({ type: 'TransfersReceived', data: received });
  },
  evolve: (through, { type, data }) => (type === 'TransfersReceived' ? data.throughPosition : through),
};

let dir: string;
let server: NatsServer;
let bus: Bus;
let store: EventStore;
let commands: CommandBus;
let deciding: Lane;
const parts: Part[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'astro-gathering-lane-'));
  server = await startNats({ dir });
  bus = await Bus.connect({ servers: server.url, name: 'gathering-lane-spec' });
  await ensureStreams(bus);
  store = new EventStore(bus);
  commands = new CommandBus(bus, newId('requester'));
  const aggregates = { account: new AggregateStore(store, type, receiver) };
  deciding = commandLane(bus, { context: 'billing', aggregates, log: silent });
  await deciding.start();
}, 120_000);

afterAll(async () => {
  await Promise.all(parts.map(part => part.stop()));
  await deciding.stop();
  await bus.close();
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

/** What one giver gives to each of `receivers`, in one append. */
async function give(receivers: readonly string[]): Promise<void> {
  const id = newId('tenant');
  const events = receivers.map(toTenantId => {
    const data = { tenantId: id, transferId: 't', toTenantId, postings: [], requestedAt: new Date(0) };
    return { type: 'FundsTransferred', data };
  });
  await store.append({ type, id }, events, { expectedPosition: 0, commandId: newId('cmd'), metadata });
}

/** Takes only what is meant for `receivers`: the tests share a stream. */
const reactorFor = (
  receivers: ReadonlySet<string>,
): GatheringReactor<{ type: 'FundsTransferred'; data: FundsTransferred }> => ({
  name: `billing.${[...receivers][0]}`,
  reads: type,
  gathers: ['FundsTransferred'],
  reactToAll: run =>
    [...receivers].flatMap(tenantId => {
      const own = run.filter(({ event }) => event.data.toTenantId === tenantId);
      const transfers = own.map(({ position }) => ({ position, transferId: 't', amountAtto: 1n }));
      const command = { to: { type, id: tenantId }, type: 'ReceiveTransfers', data: { tenantId, transfers } };
      return own.length === 0 ? [] : [command];
    }),
});

async function start(receivers: readonly string[]): Promise<Part> {
  const part = gatheringUnit(bus, reactorFor(new Set(receivers)), commands, silent).open(fence);
  parts.push(part);
  await part.start();
  return part;
}

/** How many were received, by the events that say so. */
async function receiptsOf(id: string): Promise<readonly number[]> {
  const events = await store.load({ type, id });
  return events.map(
    ({ event }) => (event as Extract<AccountEvent, { type: 'TransfersReceived' }>).data.transfers,
  );
}
const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);

async function received(id: string, count: number): Promise<readonly number[]> {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline;) {
    const counts = await receiptsOf(id);
    if (sum(counts) >= count) return counts;
    await new Promise(resolve => setTimeout(resolve, 10));
  }
  throw new Error(`${sum(await receiptsOf(id))} of ${count} were received`);
}

test('many events lead to few commands, one for each receiver', async () => {
  const [a, b] = [newId('tenant'), newId('tenant')];
  await give(Array.from({ length: 900 }, (_, index) => (index % 3 === 0 ? a : b)));
  const part = await start([a, b]);
  const counts = [await received(a, 300), await received(b, 600)];
  expect(counts.map(sum)).toEqual([300, 600]);
  expect(counts.flat().length).toBeLessThan(20);
  await part.stop();
  expect(part.handled).toBe(900);
});

test('what was not acknowledged comes again after a restart, and is received once', async () => {
  const a = newId('tenant');
  await give(Array.from({ length: 50 }, () => a));
  const first = await start([a]);
  await received(a, 50);
  await first.stop();
  await bus.jsm.consumers.delete('EVT_BILLING', `billing_${a}_reactor`);
  await give([a]);
  const second = await start([a]);
  expect(sum(await received(a, 51))).toBe(51);
  await second.stop();
});

test('what is refused is asked again, and what comes later waits for it', async () => {
  const a = newId('tenant');
  const part = await start([a]);
  refusing.times = 1;
  await give([a]);
  await give([a]);
  await new Promise(resolve => setTimeout(resolve, 50));
  expect(await receiptsOf(a)).toEqual([]);
  expect(sum(await received(a, 2))).toBe(2);
  await part.stop();
});
