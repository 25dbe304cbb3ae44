import 'reflect-metadata';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNats, type NatsServer } from '@astro/devstack/nats/server';
import { newId } from '@astro/event-sourcing/ids';
import { encode } from '@astro/messages/codec';
import type { AggregateRef } from '@astro/event-sourcing/recorded';
import type { TaskStarted } from '@astro/messages/agent';
import type { TenantRegistered } from '@astro/messages/registry';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Controller, Module, type INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { Bus } from './bus.js';
import { DeadLetters } from './dead-letters.js';
import { DeadLetterDesk } from './dead-letters-desk.js';
import { EventStore } from './event-store.js';
import { Unprocessable } from './lane.js';
import { silent } from './log.js';
import { HandlerErrorFilter, JetStreamContext, JetStreamServer } from './server.js';
import { SharedWork } from './shared-work.js';
import { ensureStreams } from './streams.js';

type Call = { readonly payload: TaskStarted; readonly node: string | undefined; readonly deliveries: number };
const calls: Call[] = [];

@Controller()
class ReportsController {
  @EventPattern<string>('agent.*.TaskStarted')
  async started(@Payload() payload: TaskStarted, @Ctx() context: JetStreamContext): Promise<void> {
    calls.push({ payload, node: context.tokens[1], deliveries: context.deliveries });
    if (payload.poolId === 'nowhere') throw new Unprocessable('there is no such pool');
    if (payload.poolId === 'shy' && context.deliveries === 1) throw new Error('not yet');
    if (Number.isNaN(context.recordedAt.getTime()) || context.position < 1)
      throw new Unprocessable('no position');
  }
}

type Registration = {
  readonly name: string;
  readonly subject: string;
  readonly position: number;
  readonly at: Date;
};
const registrations = { areBroken: false, seen: [] as Registration[] };

@Controller()
class RegistrationsController {
  @EventPattern<string>('evt.registry.tenant.*.*')
  registered(@Payload() { name }: TenantRegistered, @Ctx() context: JetStreamContext): void {
    const { subject, position, recordedAt } = context;
    registrations.seen.push({ name, subject, position, at: recordedAt });
    if (registrations.areBroken) throw new Unprocessable('registrations are broken');
  }
}

@Module({ controllers: [ReportsController, RegistrationsController] })
class ReportsModule {}

let dir: string;
let server: NatsServer;
let bus: Bus;
let app: INestMicroservice;
let work: SharedWork;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'astro-server-'));
  server = await startNats({ dir });
  bus = await Bus.connect({ servers: server.url, name: 'server-spec' });
  await ensureStreams(bus);
  work = new SharedWork(bus, 'spec', silent);
  const strategy = new JetStreamServer({ bus, service: 'spec', work, log: silent });
  app = await NestFactory.createMicroservice(ReportsModule, { strategy, logger: false });
  app.useGlobalFilters(new HandlerErrorFilter());
  await app.listen();
}, 120_000);

afterAll(async () => {
  await app.close();
  await bus.close();
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

test('a handler gets the decoded payload and whose subject it came on, and is acknowledged', async () => {
  const node = newId('node');
  await report(node, 'main');
  await waitFor(() => calls.some(call => call.node === node));
  expect(calls.filter(call => call.node === node)).toEqual([
    { payload: taskStarted('main'), node, deliveries: 1 },
  ]);
  await waitForNothingPending();
  expect(work.problem).toBeUndefined();
});

test('a handler that throws gets the message again', async () => {
  const node = newId('node');
  await report(node, 'shy');
  await waitFor(() => calls.filter(call => call.node === node).length === 2);
  expect(calls.filter(call => call.node === node).map(({ deliveries }) => deliveries)).toEqual([1, 2]);
});

test('what a handler calls hopeless becomes a dead letter with its reason', async () => {
  const node = newId('node');
  await report(node, 'nowhere');
  const deadLetters = new DeadLetters(bus);
  const find = async () => (await deadLetters.list()).find(({ letter }) => letter.subject.includes(node));
  let found = await find();
  for (; !found; found = await find()) await pause();
  expect(found.letter).toMatchObject({ deliveries: 1, reason: 'there is no such pool' });
  expect(calls.filter(call => call.node === node)).toHaveLength(1);
});

test('an event that a handler failed at is handled again when its dead letter is replayed', async () => {
  const tenant: AggregateRef = { type: 'registry.tenant', id: newId('tenant') };
  const event = { type: 'TenantRegistered', data: { tenantId: tenant.id, name: 'Ada' } };
  const metadata = { correlationId: 'req-1', causationId: 'req-1', actor: 'operator:o1' };
  registrations.areBroken = true;
  const { position } = await new EventStore(bus).append(tenant, [event], {
    expectedPosition: 0,
    commandId: newId('cmd'),
    metadata,
  });
  const desk = new DeadLetterDesk(bus);
  const find = async () => {
    for await (const listed of desk.list({ all: false }))
      if (listed.letter.subject.includes(tenant.id)) return listed;
    return undefined;
  };
  let found = await find();
  for (; !found; found = await find()) await pause();
  expect(found.letter).toMatchObject({ reason: 'registrations are broken', sequence: position });
  expect(registrations.seen).toHaveLength(1);

  registrations.areBroken = false;
  await desk.replay(found.position, { actor: 'operator:ada', why: 'registrations are mended' });
  await waitFor(() => registrations.seen.length === 2);
  expect(registrations.seen[1]).toEqual(registrations.seen[0]);
  expect(registrations.seen[1]).toMatchObject({ name: 'Ada', position });
  expect((await bus.jsm.streams.info('EVT_REGISTRY')).state.messages).toBe(1);
});

const taskStarted = (poolId: string): TaskStarted => ({ poolId, leaseId: 'lease_1', fencingToken: 1 });
const pause = () => new Promise(resolve => setTimeout(resolve, 10));

async function report(node: string, poolId: string): Promise<void> {
  await bus.js.publish(
    `agent.${node}.TaskStarted`,
    encode('astro.agent.v1.TaskStarted', taskStarted(poolId)),
  );
}

async function waitFor(holds: () => boolean): Promise<void> {
  while (!holds()) await pause();
}

async function waitForNothingPending(): Promise<void> {
  const consumers = await bus.jsm.consumers.list('AGENT_REPORTS').next();
  expect(consumers.map(({ name }) => name)).toEqual(['spec_agent_any_TaskStarted']);
  const pending = async () =>
    (await bus.jsm.consumers.info('AGENT_REPORTS', consumers[0]!.name)).num_ack_pending;
  while ((await pending()) > 0) await pause();
}
