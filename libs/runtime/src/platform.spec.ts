import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startNats, type NatsServer } from '@astro/devstack/nats/server';
import { startPostgres, type PostgresServer } from '@astro/devstack/postgres/server';
import { accept, reject, type Decider } from '@astro/event-sourcing/decider';
import { derivedId, newId } from '@astro/event-sourcing/ids';
import type { Projection } from '@astro/event-sourcing/projection';
import type { Reactor } from '@astro/event-sourcing/reactor';
import type { AggregateStore } from '@astro/jetstream/aggregate-store';
import { Bus } from '@astro/jetstream/bus';
import { CommandBus } from '@astro/jetstream/command-bus';
import { EventStore } from '@astro/jetstream/event-store';
import type {
  ApiKeyCommand,
  ApiKeyEvent,
  RegisterTenant,
  TenantCommand,
  TenantEvent,
} from '@astro/messages/registry';
import { waitForPosition } from '@astro/postgres/checkpoints';
import { provision } from '@astro/postgres/provision';
import { MikroORM, defineEntity, type EntityManager } from '@mikro-orm/postgresql';
import { jsonLog } from './logging.js';
import { PlatformModule, aggregateToken } from './platform.module.js';
import { openService, type Service } from './start-service.js';

// A small registry: tenants are registered, each gets a key, and their names are kept in a table.
const tenant: Decider<boolean, TenantCommand, TenantEvent, 'TenantExists'> = {
  initialState: false,
  decide: ({ data }, exists) =>
    exists ? reject('TenantExists') : accept({ type: 'TenantRegistered', data }),
  evolve: () => true,
};

/** Issues without looking, so that only the command's id keeps a repeated one from issuing again. */
const apiKey: Decider<number, ApiKeyCommand, ApiKeyEvent> = {
  initialState: 0,
  decide: command =>
    command.type === 'IssueApiKey' ? accept({ type: 'ApiKeyIssued', data: command.data }) : accept(),
  evolve: issued => issued + 1,
};

const keyOf = (tenantId: string) => derivedId('key', tenantId);

const giveKeys: Reactor<TenantEvent, ApiKeyCommand> = {
  name: 'registry.give-keys',
  reads: ['registry.tenant'],
  react: ({ event: { data } }) => {
    const keyId = keyOf(data.tenantId);
    const issued = {
      keyId,
      owner: 'tenant' as const,
      ownerId: data.tenantId,
      sha256: 'aa',
      label: data.name,
    };
    return [{ to: { type: 'registry.api-key', id: keyId }, type: 'IssueApiKey', data: issued }];
  },
};

const TenantName = defineEntity({
  name: 'TenantName',
  schema: 'registry',
  tableName: 'tenant_names',
  properties: p => ({ tenantId: p.text().primary(), name: p.text(), appliedCount: p.integer() }),
});

/** Counts how often it applied an event, so that a repetition shows. */
const tenantNames: Projection<TenantEvent, EntityManager> = {
  name: 'registry.tenant-names',
  version: 1,
  tables: ['tenant_names'],
  reads: ['registry.tenant'],
  async apply(em, { event: { data } }) {
    const known = await em.findOne(TenantName, { tenantId: data.tenantId });
    await em.upsert(TenantName, { ...data, appliedCount: (known?.appliedCount ?? 0) + 1 });
  },
};

const database = 'spec';
const waitLimitMs = 30_000;

let dir: string;
let postgres: PostgresServer;
let nats: NatsServer;
let service: Service;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'astro-runtime-spec-'));
  chmodSync(dir, 0o755); // so that the database server's own account can enter it
  for (const folder of ['nats', 'postgres']) mkdirSync(join(dir, folder));
  nats = await startNats({ dir: join(dir, 'nats') });
  postgres = await startPostgres({ dir: join(dir, 'postgres') });
  await provision(postgres.adminUrl, {
    database,
    owners: [{ role: 'registry', password: 'registry', schema: 'registry' }],
    reader: { role: 'gateway', password: 'gateway' },
  });
}, 120_000);

afterAll(async () => {
  await nats.stop();
  await postgres.stop();
  rmSync(dir, { recursive: true, force: true });
});

beforeEach(async () => {
  service = await open();
}, waitLimitMs);

afterEach(() => service.stop(), waitLimitMs);

function configAs(role: string) {
  const url = new URL(postgres.adminUrl);
  [url.username, url.password, url.pathname] = [role, role, `/${database}`];
  return { NATS_URL: nats.url, DATABASE_URL: url.href };
}
const http = { HTTP_HOST: '127.0.0.1', HTTP_PORT: 0, LOG_LEVEL: 'warn' as const };

const open = () =>
  openService(
    {
      name: 'registry',
      config: http,
      module: PlatformModule.forService({
        context: 'registry',
        config: configAs('registry'),
        aggregates: { tenant, 'api-key': apiKey },
        projections: [tenantNames],
        reactors: [giveKeys],
        entities: [TenantName],
      }),
    },
    jsonLog('registry', 'silent'),
  );

const command = (data: RegisterTenant) => ({
  to: { type: 'registry.tenant' as const, id: data.tenantId },
  type: 'RegisterTenant' as const,
  data,
});
const metadata = { correlationId: 'spec', causationId: 'spec', actor: 'service:spec' };
const register = (commands: CommandBus, data: RegisterTenant, id = newId('cmd')) =>
  commands.request(command(data), { id, metadata, timeoutMs: 10_000 });

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + waitLimitMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('it did not happen');
    await sleep(50);
  }
}

const em = () => service.app.get(MikroORM).em.fork();
const ready = async () => {
  const response = await fetch(`${service.url}/health/ready`);
  return { status: response.status, body: (await response.json()) as { checks: Record<string, string> } };
};
const keyEvents = (tenantId: string) =>
  service.app.get(EventStore).load({ type: 'registry.api-key', id: keyOf(tenantId) });

test('a command has an outcome, fills the read model and is reacted to', async () => {
  const tenantId = newId('tenant');
  const outcome = await register(service.app.get(CommandBus), { tenantId, name: 'Ada' });
  expect(outcome).toMatchObject({ accepted: true, changed: true });
  expect(await waitForPosition(em(), tenantNames.name, outcome!.position, waitLimitMs)).toBe(true);
  expect(await em().findOne(TenantName, { tenantId })).toMatchObject({ name: 'Ada', appliedCount: 1 });
  const projections = await fetch(`${service.url}/health/projections`);
  const report = { name: tenantNames.name, state: 'live', version: 1, position: outcome!.position, lag: 0 };
  expect(await projections.json()).toMatchObject({ projections: [report] });
  await until(async () => (await keyEvents(tenantId)).length > 0);
  expect(await keyEvents(tenantId)).toMatchObject([
    { event: { type: 'ApiKeyIssued', data: { label: 'Ada' } } },
  ]);
});

test('a refusal reaches the requester, and an aggregate can be read where its store is injected', async () => {
  const tenantId = newId('tenant');
  const commands = service.app.get(CommandBus);
  await register(commands, { tenantId, name: 'Ada' });
  expect(await register(commands, { tenantId, name: 'Eve' })).toMatchObject({
    accepted: false,
    rejection: 'TenantExists',
  });
  const store: AggregateStore<boolean, TenantCommand, TenantEvent> = service.app.get(
    aggregateToken('tenant'),
  );
  expect(await store.load(tenantId)).toMatchObject({ state: true });
});

test('after a restart the service goes on where it was, with what was sent meanwhile', async () => {
  const [before, meanwhile] = [newId('tenant'), newId('tenant')];
  const first = await register(service.app.get(CommandBus), { tenantId: before, name: 'Ada' });
  await waitForPosition(em(), tenantNames.name, first!.position, waitLimitMs);
  await service.stop();
  const bus = await Bus.connect({ servers: nats.url, name: 'spec' });
  const send = new CommandBus(bus, 'spec').send(command({ tenantId: meanwhile, name: 'Eve' }), {
    id: newId('cmd'),
    metadata,
  });
  await send;
  await bus.close();
  service = await open();
  await until(async () => (await em().findOne(TenantName, { tenantId: meanwhile })) !== null);
  await until(async () => (await keyEvents(meanwhile)).length > 0);
  expect(await em().findAll(TenantName, { where: { tenantId: { $in: [before, meanwhile] } } })).toMatchObject(
    [{ appliedCount: 1 }, { appliedCount: 1 }],
  );
});

test('commands and events that are delivered again change nothing', async () => {
  const tenantId = newId('tenant');
  const id = newId('cmd');
  const commands = service.app.get(CommandBus);
  await register(commands, { tenantId, name: 'Ada' }, id);
  await until(async () => (await keyEvents(tenantId)).length > 0);
  // Without their consumers, the lanes of the next start read both streams from the beginning.
  const bus = service.app.get(Bus);
  for (const stream of ['CMD_REGISTRY', 'EVT_REGISTRY']) {
    for await (const { name } of bus.jsm.consumers.list(stream)) await bus.jsm.consumers.delete(stream, name);
  }
  await service.stop();
  service = await open();
  const last = newId('tenant');
  const outcome = await register(service.app.get(CommandBus), { tenantId: last, name: 'Eve' });
  await until(async () => (await keyEvents(last)).length > 0);
  await waitForPosition(em(), tenantNames.name, outcome!.position, waitLimitMs);
  expect(await service.app.get(EventStore).load({ type: 'registry.tenant', id: tenantId })).toHaveLength(1);
  expect(await keyEvents(tenantId)).toHaveLength(1);
  expect(await em().findOne(TenantName, { tenantId })).toMatchObject({ appliedCount: 1 });
});

test('a service is ready when every part works, not while the bus is away, and again when it is back', async () => {
  const up = await ready();
  expect(up.status).toBe(200);
  expect(Object.keys(up.body.checks)).toEqual(expect.arrayContaining(['bus', 'database', 'work']));
  const { port } = nats;
  await nats.kill();
  await until(async () => (await ready()).status === 503);
  expect((await ready()).body.checks).toMatchObject({ bus: 'not connected', database: 'up' });
  expect((await fetch(`${service.url}/health/live`)).status).toBe(200);
  nats = await startNats({ dir: join(dir, 'nats'), port });
  await until(async () => (await ready()).status === 200);
  const outcome = await register(service.app.get(CommandBus), { tenantId: newId('tenant'), name: 'Ada' });
  expect(outcome).toMatchObject({ accepted: true });
});

test('a reader has the bus and sees the tables, but decides and writes nothing', async () => {
  const tenantId = newId('tenant');
  const module = PlatformModule.forService({
    config: configAs('gateway'),
    entities: [TenantName],
    reader: true,
  });
  const gateway = await openService({ name: 'gateway', config: http, module }, jsonLog('gateway', 'silent'));
  const outcome = await register(gateway.app.get(CommandBus), { tenantId, name: 'Ada' });
  const reads = gateway.app.get(MikroORM).em.fork();
  expect(await waitForPosition(reads, tenantNames.name, outcome!.position, waitLimitMs)).toBe(true);
  expect(await reads.findOne(TenantName, { tenantId })).toMatchObject({ name: 'Ada' });
  await expect(reads.nativeDelete(TenantName, { tenantId })).rejects.toMatchObject({ code: '42501' });
  await gateway.stop();
});
