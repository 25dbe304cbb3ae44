import { setTimeout as sleep } from 'node:timers/promises';
import { startGround, type Ground } from '@astro/devstack/ground';
import { newId } from '@astro/event-sourcing/ids';
import type { AggregateRef } from '@astro/event-sourcing/recorded';
import { CommandBus } from '@astro/jetstream/command-bus';
import { EventStore } from '@astro/jetstream/event-store';
import { encode } from '@astro/messages/codec';
import type { NodeCommand, Offer, OperatorCommand } from '@astro/messages/registry';
import { findNode } from '@astro/read-models/registry/nodes';
import { findOperator } from '@astro/read-models/registry/operators';
import { readConfig } from '@astro/runtime/config';
import { jsonLog } from '@astro/runtime/logging';
import { openService, type Service } from '@astro/runtime/start-service';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { MikroORM } from '@mikro-orm/postgresql';
import { registryConfig } from './registry.config.js';
import { RegistryModule } from './registry.module.js';
import { plainDevice, plainInventory, plainOffer } from '@astro/messages/unconstrained';

let ground: Ground;
let service: Service;
let commands: CommandBus;

const openRegistry = (): Promise<Service> => {
  const config = readConfig(registryConfig, {
    ...ground.environment,
    HEARTBEAT_TIMEOUT_MS: '1000',
  });
  const log = jsonLog('registry', config.LOG_LEVEL);
  return openService({ name: 'registry', module: RegistryModule.with(config), config }, log);
};

beforeAll(async () => {
  ground = await startGround('registry');
  service = await openRegistry();
  commands = new CommandBus(ground.bus, 'registry-spec');
}, 120_000);

afterAll(async () => {
  await service.stop();
  await ground.stop();
});

const metadata = { correlationId: 'spec', causationId: 'spec', actor: 'service:spec' };
const database = () => service.app.get(MikroORM).em.fork();

const request = (to: AggregateRef, command: NodeCommand | OperatorCommand) =>
  commands.request({ to, ...command }, { id: newId('cmd'), metadata, timeoutMs: 10_000 });

const heartbeat = (nodeId: string) =>
  ground.bus.js.publish(
    `telemetry.${nodeId}.Heartbeat`,
    encode('astro.agent.v1.Heartbeat', {
      agentVersion: '0.1.0',
      runningLeases: 0,
      cpuPercent: 1,
      memoryUsedMib: 1,
    }),
  );

async function untilNodeIs(status: 'online' | 'offline', nodeId: string): Promise<void> {
  for (;;) {
    const row = await findNode(database(), nodeId);
    if (row?.status === status) return;
    await sleep(20);
  }
}

const eventsOf = async (nodeId: string): Promise<string[]> => {
  const recorded = await new EventStore(ground.bus).load({ type: 'registry.node', id: nodeId });
  return recorded.map(({ event }) => event.type);
};

const offerOf = (nodeId: string): Offer => ({
  nodeId,
  operatorId: 'operator_1',
  region: 'de-fra',
  inventory: {
    devices: [{ kind: 'cpu', vendor: 'AMD', model: 'EPYC 9654', memoryMib: 1_024, ...plainDevice }],
    cpuMillis: 4_000,
    memoryMib: 1_024,
    diskMib: 10_000,
    operatingSystem: 'linux',
    architecture: 'x64',
    runtimes: ['wasm'],
    ...plainInventory,
  },
  pricePerSecondAtto: 10n ** 15n,
  ...plainOffer,
});
const publicKey = `U${'A'.repeat(55)}`;

async function enrol(offer: Offer) {
  const to = { type: 'registry.node', id: offer.nodeId } as const;
  return request(to, { type: 'EnrolNode', data: { offer, publicKey } });
}

test('a registered operator is in the read model', async () => {
  const operatorId = newId('operator');
  const to = { type: 'registry.operator', id: operatorId } as const;
  const outcome = await request(to, { type: 'RegisterOperator', data: { operatorId, name: 'Aurora' } });
  expect(outcome).toMatchObject({ accepted: true, changed: true });
  let row = await findOperator(database(), operatorId);
  while (!row) {
    await sleep(20);
    row = await findOperator(database(), operatorId);
  }
  expect(row.name).toBe('Aurora');
}, 60_000);

test('a node comes and goes with its heartbeats, as often as it likes', async () => {
  const nodeId = newId('node');
  expect(await enrol(offerOf(nodeId))).toMatchObject({ accepted: true, changed: true });
  await heartbeat(nodeId);
  await untilNodeIs('online', nodeId);
  await heartbeat(nodeId);
  await untilNodeIs('offline', nodeId);
  await heartbeat(nodeId);
  await untilNodeIs('online', nodeId);
  await untilNodeIs('offline', nodeId);
  const cycle = ['NodeCameOnline', 'NodeWentOffline'];
  expect(await eventsOf(nodeId)).toEqual(['NodeEnrolled', ...cycle, ...cycle]);
}, 60_000);

test('a node that falls silent while the service is down goes offline after its restart', async () => {
  const nodeId = newId('node');
  await enrol(offerOf(nodeId));
  await heartbeat(nodeId);
  await untilNodeIs('online', nodeId);
  await service.stop();
  service = await openRegistry();
  await untilNodeIs('offline', nodeId);
  expect(await eventsOf(nodeId)).toEqual(['NodeEnrolled', 'NodeCameOnline', 'NodeWentOffline']);
}, 60_000);

test('heartbeats of a node that never enrolled leave no trace, and do not hold up others', async () => {
  const [stranger, nodeId] = [newId('node'), newId('node')];
  await enrol(offerOf(nodeId));
  await heartbeat(stranger);
  await heartbeat(stranger);
  await heartbeat(nodeId);
  await untilNodeIs('online', nodeId);
  expect(await eventsOf(stranger)).toEqual([]);
}, 60_000);

test('an absurd inventory is refused with the field at fault', async () => {
  const offer = offerOf(newId('node'));
  const inventory = { ...offer.inventory, cpuMillis: 99_000_000 };
  expect(await enrol({ ...offer, inventory })).toMatchObject({
    accepted: false,
    rejection: 'InventoryIsInvalid',
    detail: 'offer.inventory.cpuMillis: must be from 1 to 1024000',
  });
}, 60_000);
