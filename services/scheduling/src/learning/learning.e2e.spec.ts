import { setTimeout as sleep } from 'node:timers/promises';
import { startGround, type Ground } from '@astro/devstack/ground';
import type { Message } from '@astro/event-sourcing/decider';
import { newId } from '@astro/event-sourcing/ids';
import type { AggregateType } from '@astro/event-sourcing/recorded';
import { CommandBus } from '@astro/jetstream/command-bus';
import { EventStore } from '@astro/jetstream/event-store';
import type { ExplainTick, PoolEvent } from '@astro/messages/scheduling';
import { readConfig } from '@astro/runtime/config';
import { jsonLog } from '@astro/runtime/logging';
import { openService, type Service } from '@astro/runtime/start-service';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { machineOffer, specFor, type Ask } from '../pool/learning/learning.fixture.js';
import { TickReplay } from '../pool/replayed-tick.js';
import { schedulingConfig } from '../scheduling.config.js';
import { SchedulingModule } from '../scheduling.module.js';

let ground: Ground;
let service: Service;
let commands: CommandBus;
let events: EventStore;

const openScheduling = (): Promise<Service> => {
  const config = readConfig(schedulingConfig, {
    ...ground.environment,
    TICK_MS: '20',
    LEARNING_INTERVAL_MS: '200',
  });
  const module = SchedulingModule.with(config);
  return openService({ name: 'scheduling', module, config }, jsonLog('scheduling', config.LOG_LEVEL));
};

beforeAll(async () => {
  ground = await startGround('scheduling');
  service = await openScheduling();
  commands = new CommandBus(ground.bus, 'learning-spec');
  events = new EventStore(ground.bus);
}, 120_000);

afterAll(async () => {
  await service?.stop();
  await ground?.stop();
});

const metadata = { correlationId: 'spec', causationId: 'spec', actor: 'service:spec' };

async function happened(type: AggregateType, id: string, event: Message): Promise<void> {
  const aggregate = { type, id };
  const expectedPosition = (await events.load(aggregate)).at(-1)?.position ?? 0;
  await events.append(aggregate, [event], { expectedPosition, commandId: newId('cmd'), metadata });
}

const comesOnline = (nodeId: string, model: string) =>
  happened('registry.node', nodeId, {
    type: 'NodeCameOnline',
    data: { offer: machineOffer(nodeId, { vcpu: 32, devices: 4, model }) },
  });

/** A funded job of so many tasks. */
async function arrives(count: number, ask: Ask): Promise<string> {
  const jobId = newId('job');
  const tenantId = `tenant_${jobId}`;
  const spec = specFor(
    Array.from({ length: count }, () => newId('task')),
    ask,
  );
  const data = { jobId, tenantId, poolId: 'main', spec, maxCostAtto: 10n ** 30n };
  const to = { type: 'scheduling.job', id: jobId } as const;
  await commands.send({ to, type: 'SubmitJob', data }, { id: newId('cmd'), metadata });
  const reserved = { type: 'FundsReserved', data: { tenantId, jobId, postings: [] } };
  await happened('billing.account', tenantId, reserved);
  return jobId;
}

const poolEvents = async (): Promise<readonly PoolEvent[]> =>
  (await events.load({ type: 'scheduling.pool', id: 'main' })).map(({ event }) => event as PoolEvent);

/** Waits for something that is bound to happen; the test's own time limit ends a vain wait. */
async function eventually<Event extends PoolEvent>(is: (event: PoolEvent) => event is Event): Promise<Event> {
  for (;;) {
    const found = (await poolEvents()).find(is);
    if (found) return found;
    await sleep(20);
  }
}
const adoptionOf = (version: number) =>
  eventually(
    (event): event is PoolEvent & { type: 'PolicyAdopted' } =>
      event.type === 'PolicyAdopted' && event.data.policy.version === version,
  );
const grantOf = (jobId: string) =>
  eventually(
    (event): event is PoolEvent & { type: 'LeasesGranted' } =>
      event.type === 'LeasesGranted' && event.data.grants.some(grant => grant.jobId === jobId),
  );

const part = { vcpu: 1, devices: 1, share: 100 };

test('a pool learns by itself, and again when it has changed; a restart keeps what it has learned', async () => {
  await comesOnline('node_a', 'T4');
  const first = await arrives(30, part);
  expect((await grantOf(first)).data).toMatchObject({ policy: 'tight-fit/1', weightsVersion: 1 });

  const adopted = await adoptionOf(2);
  expect(adopted.data.policy.fleet).toMatchObject([{ nodes: 1, units: 4, cpuMillis: 32_000 }]);
  const seen = adopted.data.policy.demands.find(({ shareThousandths }) => shareThousandths === 100);
  expect(seen?.rate).toBeCloseTo(30, 0);
  expect((await grantOf(await arrives(1, part))).data).toMatchObject({
    policy: 'astro/1',
    weightsVersion: 2,
  });

  await service.stop();
  service = await openScheduling();
  expect((await grantOf(await arrives(1, part))).data).toMatchObject({
    policy: 'astro/1',
    weightsVersion: 2,
  });

  await comesOnline('node_b', 'V100');
  expect((await adoptionOf(3)).data.policy.fleet).toHaveLength(2);
  expect((await grantOf(await arrives(1, part))).data).toMatchObject({ weightsVersion: 3 });
}, 60_000);

test('a recorded tick is explained from what was recorded, and placing goes on meanwhile', async () => {
  const jobId = await arrives(1, part);
  await grantOf(jobId);
  const tenantId = `tenant_${jobId}`;
  const ask = (change: Partial<ExplainTick>) => {
    const question = { poolId: 'main', tenantId, jobId, position: 0, change: { nodeWithdrawn: 'node_a' } };
    const to = { type: 'scheduling.tick', id: 'main' } as const;
    const command = { to, type: 'ExplainTick', data: { ...question, ...change } };
    return commands.request(command, { id: newId('cmd'), metadata, timeoutMs: 10_000 });
  };
  // Ticks go on while a question is answered, and nothing of it is decided where they are.
  const decidedHere = jest.spyOn(TickReplay.prototype, 'decide');
  const meanwhile = { placed: 0, isAnswered: false };
  let answered: Awaited<ReturnType<typeof ask>>;
  do {
    meanwhile.isAnswered = false;
    const asked = ask({}).finally(() => (meanwhile.isAnswered = true));
    while (!meanwhile.isAnswered) {
      await grantOf(await arrives(1, part));
      if (!meanwhile.isAnswered) meanwhile.placed += 1;
    }
    answered = await asked;
  } while (meanwhile.placed < 3);
  expect(decidedHere).not.toHaveBeenCalled();
  decidedHere.mockRestore();
  expect(JSON.parse(answered?.answer ?? '')).toMatchObject({
    isRepeated: true,
    recorded: { grantsOfJob: 1 },
  });
  expect(await ask({ tenantId: 'tenant_x' })).toMatchObject({ rejection: 'JobNotFound' });
  expect(await ask({ position: 1 })).toMatchObject({ rejection: 'TickNotFound' });
  expect(await ask({ change: { nodeWithdrawn: 'node_z' } })).toMatchObject({ rejection: 'NodeNotFound' });
  expect(await ask({ change: {} })).toMatchObject({ rejection: 'ChangeIsInvalid' });
}, 60_000);
