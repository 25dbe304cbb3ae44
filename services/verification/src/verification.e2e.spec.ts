import { setTimeout as sleep } from 'node:timers/promises';
import { startGround, type Ground } from '@astro/devstack/ground';
import { newId } from '@astro/event-sourcing/ids';
import { EventStore } from '@astro/jetstream/event-store';
import type { PoolEvent, Result } from '@astro/messages/scheduling';
import { findVerdict } from '@astro/read-models/verification/verdicts';
import { readConfig } from '@astro/runtime/config';
import { jsonLog } from '@astro/runtime/logging';
import { openService, type Service } from '@astro/runtime/start-service';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { MikroORM } from '@mikro-orm/postgresql';
import { verificationConfig } from './verification.config.js';
import { VerificationModule } from './verification.module.js';

let ground: Ground;
let service: Service;

beforeAll(async () => {
  ground = await startGround('verification');
  const config = readConfig(verificationConfig, {
    ...ground.environment,
  });
  const log = jsonLog('verification', config.LOG_LEVEL);
  const module = VerificationModule.with(config);
  service = await openService({ name: 'verification', module, config }, log);
}, 120_000);

afterAll(async () => {
  await service.stop();
  await ground.stop();
});

const metadata = { correlationId: 'spec', causationId: 'spec', actor: 'service:spec' };

/** Records what scheduling would record when a node has run a task to its end. */
async function complete(taskId: string, node: string, digest: string, quorum = 2): Promise<Result> {
  const result: Result = {
    leaseId: newId('lease'),
    nodeId: `node_${node}`,
    operatorId: `operator_${node}`,
    fault: 'none',
    digest,
    outputs: [{ name: 'weights', cid: `cid-${digest}`, sizeBytes: 3 }],
    meteredMs: 5,
    pricePerSecondAtto: 10n ** 20n,
  };
  const ids = { poolId: 'main', jobId: 'job_1', taskId, leaseId: result.leaseId };
  const event: PoolEvent = { type: 'LeaseCompleted', data: { ...ids, quorum, result } };
  const store = new EventStore(ground.bus);
  const pool = { type: 'scheduling.pool', id: 'main' } as const;
  const expectedPosition = (await store.load(pool)).at(-1)?.position ?? 0;
  await store.append(pool, [event], { expectedPosition, commandId: newId('cmd'), metadata });
  return result;
}

async function verdictOn(taskId: string) {
  for (;;) {
    const verdict = await findVerdict(service.app.get(MikroORM).em.fork(), taskId);
    if (verdict) return verdict;
    await sleep(20);
  }
}

test('two nodes that agree outvote the one that lies', async () => {
  const taskId = newId('task');
  await complete(taskId, 'liar', 'lie');
  await complete(taskId, 'a', 'truth');
  await complete(taskId, 'b', 'truth');
  expect(await verdictOn(taskId)).toMatchObject({
    outcome: 'agreed',
    policy: 'quorum/1',
    digest: 'truth',
    fault: 'none',
    agreed: ['node_a', 'node_b'],
    refuted: ['node_liar'],
  });
}, 60_000);

test('what asks scheduling for one more result carries the one that disagreed', async () => {
  const taskId = newId('task');
  await complete(taskId, 'a', 'one');
  const other = await complete(taskId, 'b', 'another');
  const store = new EventStore(ground.bus);
  let events = await store.load({ type: 'verification.task', id: taskId });
  while (events.length < 2) {
    await sleep(20);
    events = await store.load({ type: 'verification.task', id: taskId });
  }
  expect(events.map(({ event }) => event.type)).toEqual(['ResultReceived', 'ResultsDisagreed']);
  expect(events[1]!.event.data).toMatchObject({ taskId, quorum: 2, result: other });
}, 60_000);

test('operators whose refuted results are the same are told to be one group', async () => {
  const taskId = newId('task');
  const store = new EventStore(ground.bus);
  const votes = { m: 'lie', n: 'lie', a: 'truth', b: 'truth', c: 'truth' };
  for (const [count, [node, digest]] of Object.entries(votes).entries()) {
    await complete(taskId, node, digest, 3);
    while ((await store.load({ type: 'verification.task', id: taskId })).length <= count) await sleep(20);
  }
  const suspected = async () =>
    (await store.load({ type: 'verification.collusion', id: 'main' })).find(
      ({ event }) => event.type === 'OperatorsSuspected',
    );
  let found = await suspected();
  while (!found) {
    await sleep(20);
    found = await suspected();
  }
  expect(found.event.data).toMatchObject({
    poolId: 'main',
    operators: ['operator_m', 'operator_n'],
    evidence: [{ one: 'operator_m', other: 'operator_n', sharedLies: 1, taskIds: [taskId] }],
  });
}, 60_000);
