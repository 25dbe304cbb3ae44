import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNats, type NatsServer } from '@astro/devstack/nats/server';
import { newId } from '@astro/event-sourcing/ids';
import type { Reactor } from '@astro/event-sourcing/reactor';
import type { AggregateRef } from '@astro/event-sourcing/recorded';
import { decode } from '@astro/messages/codec';
import type { TenantEvent } from '@astro/messages/registry';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { Bus } from './bus.js';
import { CommandBus } from './command-bus.js';
import { DeadLetterDesk, LetterRefused, payloadOf, type DeskLetter } from './dead-letters-desk.js';
import { replaysUnit } from './dead-letters-replays.js';
import { EventStore } from './event-store.js';
import { Lane, Unprocessable, type Delivered } from './lane.js';
import { silent } from './log.js';
import type { Part } from './holding.js';
import { reactorUnit } from './reactor-lane.js';
import { readStored } from './stored-messages.js';
import { ensureStreams } from './streams.js';

const metadata = { correlationId: 'req-1', causationId: 'req-1', actor: 'operator:o1' };
const decision = { actor: 'operator:ada', why: 'the handler is mended' };

let dir: string;
let server: NatsServer;
let bus: Bus;
let desk: DeadLetterDesk;
const lanes: Part[] = [];
const alone = { epoch: 1, afterDeath: false, isHeld: true };

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'astro-desk-'));
  server = await startNats({ dir });
  bus = await Bus.connect({ servers: server.url, name: 'desk-spec' });
  await ensureStreams(bus);
  desk = new DeadLetterDesk(bus);
}, 120_000);

afterEach(async () => {
  await Promise.all(lanes.splice(0).map(lane => lane.stop()));
});

afterAll(async () => {
  await bus.close();
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

async function running(lane: Part): Promise<void> {
  lanes.push(lane);
  await lane.start();
}

async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error('it did not come about');
    await new Promise(resolve => setTimeout(resolve, 20));
  }
}

async function lettersOf(consumer: string, all = false): Promise<readonly DeskLetter[]> {
  const found: DeskLetter[] = [];
  for await (const listed of desk.list({ all })) if (listed.letter.consumer === consumer) found.push(listed);
  return found;
}

async function letterOf(consumer: string): Promise<DeskLetter> {
  await until(async () => (await lettersOf(consumer)).length > 0);
  return (await lettersOf(consumer))[0]!;
}

/** A consumer of the commands of one tenant, which cannot handle any until it is mended. */
async function brokenConsumer() {
  const tenantId = newId('tenant');
  const consumer = `consumer-${tenantId}`;
  const state = { isBroken: true, handled: [] as Delivered[] };
  const options = {
    stream: 'CMD_REGISTRY',
    durable: consumer,
    filterSubjects: [`cmd.registry.tenant.${tenantId}.>`],
    async handle(message: Delivered) {
      await Promise.resolve();
      if (state.isBroken) throw new Unprocessable('the handler is broken');
      state.handled.push(message);
    },
  };
  await running(new Lane(bus, options, silent));
  const commandId = newId('cmd');
  const to: AggregateRef = { type: 'registry.tenant', id: tenantId };
  const command = { to, type: 'RegisterTenant', data: { tenantId, name: 'Ada' } };
  await new CommandBus(bus, 'spec').send(command, { id: commandId, metadata });
  return { consumer, state, tenantId, commandId };
}

test('a dead letter is listed and shown with its reason and its payload', async () => {
  const { consumer, tenantId, commandId } = await brokenConsumer();
  const { letter, position } = await letterOf(consumer);
  expect(letter).toMatchObject({ consumer, reason: 'the handler is broken', stream: 'CMD_REGISTRY' });
  const command = await bus.jsm.streams.getMessage('CMD_REGISTRY', { seq: letter.sequence });
  expect(letter.recordedAt).toEqual(command!.time);
  const shown = await desk.get(position);
  expect(shown.letter.headers['ce-id']).toBe(commandId);
  expect(payloadOf(shown.letter)).toEqual({
    type: 'astro.registry.v1.RegisterTenant',
    data: { tenantId, name: 'Ada' },
  });
});

test('a replayed message is handled once by the mended handler, under its own id', async () => {
  const { consumer, state, commandId } = await brokenConsumer();
  const { position, letter } = await letterOf(consumer);
  state.isBroken = false;
  await desk.replay(position, decision);
  await until(() => state.handled.length > 0);

  await expect(desk.replay(position, decision)).rejects.toThrow(LetterRefused);
  expect(state.handled).toHaveLength(1);
  expect(state.handled[0]).toMatchObject({ subject: letter.subject, headers: { 'ce-id': commandId } });
  expect(Buffer.from(state.handled[0]!.data)).toEqual(Buffer.from(letter.payload));
  expect(await lettersOf(consumer)).toEqual([]);
  const [settled] = await lettersOf(consumer, true);
  expect(settled!.settlement).toMatchObject({ ...decision, fate: 'replayed', settledAt: expect.any(Date) });
});

test('a replayed message that fails again is a new letter', async () => {
  const { consumer } = await brokenConsumer();
  const { position } = await letterOf(consumer);
  await desk.replay(position, decision);
  const next = await letterOf(consumer);
  expect(next.position).toBeGreaterThan(position);
  expect(await lettersOf(consumer, true)).toHaveLength(2);
});

test('a discarded letter is not listed, stays with who discarded it, and cannot be replayed', async () => {
  const { consumer, state } = await brokenConsumer();
  const { position } = await letterOf(consumer);
  state.isBroken = false;
  await desk.discard(position, { actor: 'operator:ada', why: 'sent by mistake' });

  await expect(desk.replay(position, decision)).rejects.toThrow(/discarded by operator:ada/);
  expect(await lettersOf(consumer)).toEqual([]);
  const [settled] = await lettersOf(consumer, true);
  expect(settled!.settlement).toMatchObject({ fate: 'discarded', why: 'sent by mistake' });
  expect(state.handled).toEqual([]);
});

test('of two people who settle a letter at once, one is told that it is settled', async () => {
  const { consumer } = await brokenConsumer();
  const { position } = await letterOf(consumer);
  const results = await Promise.allSettled([
    desk.discard(position, decision),
    desk.discard(position, decision),
  ]);
  expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
  expect(results.find(result => result.status === 'rejected')?.reason).toBeInstanceOf(LetterRefused);
});

test('who decided what, and why, is kept for good and apart from the letters', async () => {
  const { consumer } = await brokenConsumer();
  const { position, recordedAt } = await letterOf(consumer);
  await desk.discard(position, decision);
  const { config } = await bus.jsm.streams.info('AUDIT');
  expect(config).toMatchObject({ max_age: 0, deny_delete: true, deny_purge: true });
  const audit = await bus.jsm.streams.getMessage('AUDIT', {
    last_by_subj: `audit.dead-letter.${position}.${recordedAt.getTime()}`,
  });
  expect(decode('astro.runtime.v1.DeadLetterSettled', audit!.data)).toEqual({
    position,
    fate: 'discarded',
    ...decision,
  });
});

test('a letter that does not exist cannot be settled', async () => {
  await expect(desk.get(999_999)).rejects.toThrow(LetterRefused);
});

test('a replayed event reaches the reactor that failed, and is no second event', async () => {
  const tenantId = newId('tenant');
  const name = `registry.spec-${tenantId}`;
  let isBroken = true;
  const reactor: Reactor<TenantEvent> = {
    name,
    reads: ['registry.tenant'],
    react({ event: { data }, recordedAt }) {
      if (data.tenantId !== tenantId) return [];
      if (isBroken) throw new Unprocessable('the reactor is broken');
      const to: AggregateRef = { type: 'billing.account', id: tenantId };
      const credit = { tenantId, creditId: recordedAt.toISOString(), amountAtto: 1n };
      return [{ to, type: 'CreditAccount', data: credit }];
    },
  };
  const commands = new CommandBus(bus, 'spec');
  await running(reactorUnit(bus, reactor, commands, silent).open(alone));
  const event = { type: 'TenantRegistered', data: { tenantId, name: 'Ada' } };
  await new EventStore(bus).append({ type: 'registry.tenant', id: tenantId }, [event], {
    expectedPosition: 0,
    commandId: newId('cmd'),
    metadata,
  });
  const { position } = await letterOf(`${name.replaceAll('.', '_')}_reactor`);
  const events = await readStored(bus, 'EVT_REGISTRY', 0);

  await expect(desk.replay(position, decision)).rejects.toThrow(/no service handles events again/);
  await running(replaysUnit(bus, `spec-${tenantId}`, [reactor], commands, silent).open(alone));
  isBroken = false;
  await desk.replay(position, decision);

  const subject = `cmd.billing.account.${tenantId}.CreditAccount.*`;
  const sent = async () => {
    const { state } = await bus.jsm.streams.info('CMD_BILLING', { subjects_filter: subject });
    return Object.values(state.subjects ?? {}).reduce((sum, count) => sum + count, 0);
  };
  await until(async () => (await sent()) > 0);
  expect(await sent()).toBe(1);
  const message = await bus.jsm.streams.getMessage('CMD_BILLING', { last_by_subj: subject });
  expect(message?.header.get('astro-actor')).toBe(`service:${name}`);
  expect(await readStored(bus, 'EVT_REGISTRY', 0)).toEqual(events);
});
