import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startNats, type NatsServer } from '@astro/devstack/nats/server';
import { Bus } from '@astro/jetstream/bus';
import { DeadLetters, type ListedDeadLetter } from '@astro/jetstream/dead-letters';
import { Unprocessable } from '@astro/jetstream/lane';
import { encode } from '@astro/messages/codec';
import { Controller, Module } from '@nestjs/common';
import { EventPattern } from '@nestjs/microservices';
import { jsonLog } from './logging.js';
import { PlatformModule } from './platform.module.js';
import { openService, type Service } from './start-service.js';

let dir: string;
let nats: NatsServer;
let bus: Bus;
let service: Service;

@Controller()
class Refusing {
  @EventPattern<string>('telemetry.*.Heartbeat')
  heartbeat(): Promise<void> {
    return Promise.reject(new Unprocessable('this is for nobody'));
  }
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'astro-handler-errors-'));
  nats = await startNats({ dir });
  bus = await Bus.connect({ servers: nats.url, name: 'spec' });
  @Module({
    imports: [
      PlatformModule.forService({ context: 'registry', config: { NATS_URL: nats.url, DATABASE_URL: '' } }),
    ],
    controllers: [Refusing],
  })
  class Refusal {}
  const config = { HTTP_HOST: '127.0.0.1', HTTP_PORT: 0, LOG_LEVEL: 'fatal' } as const;
  service = await openService({ name: 'refusal', module: Refusal, config }, jsonLog('refusal', 'fatal'));
});

afterAll(async () => {
  await service?.stop();
  await bus?.close();
  await nats?.stop();
  await rm(dir, { recursive: true, force: true });
});

test('what a handler says of a message stands in its dead letter, and Unprocessable is not tried again', async () => {
  const heartbeat = { agentVersion: '1', runningLeases: 0, cpuPercent: 0, memoryUsedMib: 0 };
  await bus.js.publish('telemetry.node_1.Heartbeat', encode('astro.agent.v1.Heartbeat', heartbeat));
  let letters: readonly ListedDeadLetter[] = [];
  while (letters.length === 0) {
    letters = await new DeadLetters(bus).list();
    await sleep(20);
  }
  expect(letters.map(({ letter }) => letter)).toMatchObject([
    { deliveries: 1, reason: 'this is for nobody' },
  ]);
});
