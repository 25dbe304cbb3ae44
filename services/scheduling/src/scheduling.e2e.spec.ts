import { setTimeout as sleep } from 'node:timers/promises';
import { startGround, type Ground } from '@astro/devstack/ground';
import type { Message } from '@astro/event-sourcing/decider';
import { newId } from '@astro/event-sourcing/ids';
import type { AggregateRef, AggregateType } from '@astro/event-sourcing/recorded';
import { CommandBus } from '@astro/jetstream/command-bus';
import { DesiredStates } from '@astro/jetstream/desired-state';
import { EventStore } from '@astro/jetstream/event-store';
import type { Assignment, NodeReport } from '@astro/messages/agent';
import { encode, typeNameOf } from '@astro/messages/codec';
import type { JobEvent, JobSpec, PoolEvent, Result } from '@astro/messages/scheduling';
import { findJob } from '@astro/read-models/scheduling/jobs';
import { leasesOf } from '@astro/read-models/scheduling/leases';
import { readConfig } from '@astro/runtime/config';
import { jsonLog } from '@astro/runtime/logging';
import { openService, type Service } from '@astro/runtime/start-service';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { MikroORM } from '@mikro-orm/postgresql';
import { offerOf, specOf } from './pool/pool-examples.js';
import { resultDigest } from '@astro/messages/result-digest';
import { schedulingConfig } from './scheduling.config.js';
import { SchedulingModule } from './scheduling.module.js';

let ground: Ground;
let service: Service;
let commands: CommandBus;
let events: EventStore;
let desired: DesiredStates;

const openScheduling = (): Promise<Service> => {
  const config = readConfig(schedulingConfig, {
    ...ground.environment,
    TICK_MS: '20',
    PLACEMENT_PATIENCE_MS: '500',
  });
  const module = SchedulingModule.with(config);
  return openService({ name: 'scheduling', module, config }, jsonLog('scheduling', config.LOG_LEVEL));
};

beforeAll(async () => {
  ground = await startGround('scheduling');
  service = await openScheduling();
  commands = new CommandBus(ground.bus, 'scheduling-spec');
  events = new EventStore(ground.bus);
  desired = new DesiredStates(ground.bus);
  for (const nodeId of ['node_a', 'node_b'])
    await happened('registry.node', nodeId, { type: 'NodeCameOnline', data: { offer: offerOf(nodeId) } });
}, 120_000);

afterAll(async () => {
  await service?.stop();
  await ground?.stop();
});

const metadata = { correlationId: 'spec', causationId: 'spec', actor: 'service:spec' };
const poolRef: AggregateRef = { type: 'scheduling.pool', id: 'main' };

/** What another service has recorded, in its own stream. */
async function happened(type: AggregateType, id: string, event: Message): Promise<void> {
  const aggregate = { type, id };
  const expectedPosition = (await events.load(aggregate)).at(-1)?.position ?? 0;
  await events.append(aggregate, [event], { expectedPosition, commandId: newId('cmd'), metadata });
}

/** Waits for something that is bound to happen; the test's own time limit ends a vain wait. */
async function eventually<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    await sleep(20);
  }
}

async function submit(spec: JobSpec): Promise<string> {
  const jobId = newId('job');
  const data = { jobId, tenantId: `tenant_${jobId}`, poolId: 'main', spec, maxCostAtto: 10n ** 30n };
  const outcome = await commands.request(
    { to: { type: 'scheduling.job', id: jobId }, type: 'SubmitJob', data },
    { id: newId('cmd'), metadata, timeoutMs: 10_000 },
  );
  expect(outcome).toMatchObject({ accepted: true, changed: true });
  return jobId;
}
const fund = (jobId: string) =>
  happened('billing.account', `tenant_${jobId}`, {
    type: 'FundsReserved',
    data: { tenantId: `tenant_${jobId}`, jobId, postings: [] },
  });

const jobEvents = async (jobId: string) =>
  (await events.load({ type: 'scheduling.job', id: jobId })).map(({ event }) => event as JobEvent);
const jobEvent = (jobId: string, type: JobEvent['type']) =>
  eventually(async () => (await jobEvents(jobId)).find(event => event.type === type));
const poolEvents = async () => (await events.load(poolRef)).map(({ event }) => event as PoolEvent);

const assignmentOn = (nodeId: string, taskId: string) =>
  eventually(async () =>
    (await desired.get(nodeId))?.state.assignments.find(assignment => assignment.taskId === taskId),
  );
const report = (nodeId: string, { type, data }: NodeReport) =>
  ground.bus.js.publish(`agent.${nodeId}.${type}`, encode(typeNameOf('report', 'agent.node', type), data));
const outputs = [{ name: 'weights.bin', cid: specOf(['x']).program.cid, sizeBytes: 9 }];
const digest = resultDigest('none', outputs);
const started = ({ poolId, leaseId, fencingToken }: Assignment): NodeReport => ({
  type: 'TaskStarted',
  data: { poolId, leaseId, fencingToken },
});
const completed = ({ poolId, leaseId, fencingToken }: Assignment): NodeReport => ({
  type: 'TaskCompleted',
  data: { poolId, leaseId, fencingToken, fault: 'none', digest, outputs },
});
const completionOf = (leaseId: string) =>
  eventually(async () => {
    const event = (await poolEvents()).find(
      ({ type, data }) => type === 'LeaseCompleted' && data.leaseId === leaseId,
    );
    return event?.type === 'LeaseCompleted' ? event.data.result : undefined;
  });

async function runOn(nodeId: string, taskId: string): Promise<Result> {
  const assignment = await assignmentOn(nodeId, taskId);
  await report(nodeId, started(assignment));
  await report(nodeId, completed(assignment));
  return completionOf(assignment.leaseId);
}

describe('a job that is funded', () => {
  test('is placed on two operators, run, verified, and succeeds', async () => {
    const taskId = newId('task');
    const jobId = await submit(specOf([taskId]));
    await fund(jobId);
    const agreed = [await runOn('node_a', taskId), await runOn('node_b', taskId)];
    expect(agreed).toMatchObject([
      { operatorId: 'operator_node_a', digest, outputs },
      { operatorId: 'operator_node_b', digest, outputs },
    ]);
    const ids = { poolId: 'main', jobId, taskId };
    await happened('verification.task', taskId, {
      type: 'ResultVerified',
      data: { ...ids, policy: 'quorum/1', digest, fault: 'none', outputs, agreed, refuted: [] },
    });

    expect(await jobEvent(jobId, 'JobSucceeded')).toMatchObject({ data: { tasksSucceeded: 1 } });
    expect((await jobEvents(jobId)).map(({ type }) => type)).toEqual([
      'JobSubmitted',
      'JobQueued',
      'TaskSucceeded',
      'JobSucceeded',
    ]);
    for (const nodeId of ['node_a', 'node_b'])
      await eventually(async () =>
        (await desired.get(nodeId))?.state.assignments.length === 0 ? true : undefined,
      );
    const em = service.app.get(MikroORM).em;
    await eventually(async () =>
      (await findJob(em.fork(), `tenant_${jobId}`, jobId))?.status === 'succeeded' ? true : undefined,
    );
    const leases = await leasesOf(em.fork(), jobId);
    expect(leases.map(lease => lease.status)).toEqual(['completed', 'completed']);
  }, 30_000);

  test('takes a result that overtakes its own start', async () => {
    const taskId = newId('task');
    const jobId = await submit(specOf([taskId], {}, 1));
    await fund(jobId);
    const assignment = await assignmentOn('node_a', taskId);
    await report('node_a', completed(assignment));
    await sleep(100);
    await report('node_a', started(assignment));
    expect(await completionOf(assignment.leaseId)).toMatchObject({ meteredMs: 1, digest });
  }, 30_000);

  test('does not take the word of another node, nor a digest that does not match', async () => {
    const taskId = newId('task');
    const jobId = await submit(specOf([taskId], {}, 1));
    await fund(jobId);
    const assignment = await assignmentOn('node_a', taskId);
    await report('node_b', started(assignment));
    await report('node_b', completed(assignment));
    await report('node_a', started(assignment));
    const { poolId, leaseId, fencingToken } = assignment;
    await report('node_a', {
      type: 'TaskCompleted',
      data: { poolId, leaseId, fencingToken, fault: 'none', digest: 'f'.repeat(64), outputs },
    });
    const failure = await eventually(async () =>
      (await poolEvents()).find(({ type, data }) => type === 'LeaseFailed' && data.leaseId === leaseId),
    );
    expect(failure).toMatchObject({ data: { nodeId: 'node_a', reason: 'digest does not match outputs' } });
    await assignmentOn('node_b', taskId);
    const ends = (await poolEvents()).filter(
      ({ type, data }) => type === 'LeaseCompleted' && data.leaseId === leaseId,
    );
    expect(ends).toEqual([]);
  }, 30_000);

  test('leaves its nodes when it is cancelled', async () => {
    const taskId = newId('task');
    const jobId = await submit(specOf([taskId]));
    await fund(jobId);
    await assignmentOn('node_a', taskId);
    const cancel = { type: 'CancelJob', data: { jobId, tenantId: `tenant_${jobId}` } };
    await commands.send(
      { to: { type: 'scheduling.job', id: jobId }, ...cancel },
      { id: newId('cmd'), metadata },
    );
    await jobEvent(jobId, 'JobCancelled');
    await eventually(async () => {
      const { assignments } = (await desired.get('node_a'))!.state;
      return assignments.some(assignment => assignment.taskId === taskId) ? undefined : true;
    });
  }, 30_000);
});

describe('a job that cannot be served fails with the reason', () => {
  test('no money', async () => {
    const jobId = await submit(specOf([newId('task')]));
    await happened('billing.account', `tenant_${jobId}`, {
      type: 'ReservationDeclined',
      data: { tenantId: `tenant_${jobId}`, jobId, requiredAtto: 9n, availableAtto: 2n },
    });
    expect(await jobEvent(jobId, 'JobFailed')).toMatchObject({ data: { reason: 'insufficient_funds' } });
  }, 30_000);

  test('a price cap that no node meets, once its patience is over', async () => {
    const jobId = await submit(specOf([newId('task')], { maxPricePerSecondAtto: 1n }));
    await fund(jobId);
    expect(await jobEvent(jobId, 'JobFailed')).toMatchObject({
      data: { reason: 'price_cap_unmet', detail: expect.stringContaining('priceCap excludes 2') },
    });
  }, 30_000);
});

test('a restart goes on where it was, and an idle pool leaves no trace', async () => {
  await service.stop();
  const taskId = newId('task');
  const jobId = newId('job');
  const data = {
    jobId,
    tenantId: `tenant_${jobId}`,
    poolId: 'main',
    spec: specOf([taskId], {}, 1),
    maxCostAtto: 10n ** 30n,
  };
  await commands.send(
    { to: { type: 'scheduling.job', id: jobId }, type: 'SubmitJob', data },
    { id: newId('cmd'), metadata },
  );
  await fund(jobId);
  service = await openScheduling();
  await runOn('node_a', taskId);
  const before = (await events.load(poolRef)).at(-1)?.position;
  await sleep(500);
  expect((await events.load(poolRef)).at(-1)?.position).toBe(before);
}, 60_000);

test('interruptible work makes room with notice, and is paid for what it completes by then', async () => {
  const region = 'fr-par';
  const online = { type: 'NodeCameOnline', data: { offer: offerOf('node_c', { region }) } };
  await happened('registry.node', 'node_c', online);
  const whole = { cpuMillis: 2_000, regions: [region], maxPricePerSecondAtto: 100n };
  const [spotTask, urgentTask] = [newId('task'), newId('task')];
  await fund(await submit({ ...specOf([spotTask], whole, 1), leaseClass: 'interruptible' }));
  const spot = await assignmentOn('node_c', spotTask);
  await report('node_c', started(spot));
  const urgent = await submit(specOf([urgentTask], whole, 1));
  await fund(urgent);

  const notice = await eventually(async () => {
    const found = (await poolEvents()).find(({ type }) => type === 'LeasesPreempted');
    return found?.type === 'LeasesPreempted' ? found.data : undefined;
  });
  expect(notice).toMatchObject({
    leases: [{ leaseId: spot.leaseId, nodeId: 'node_c' }],
    forJobId: urgent,
    forTaskId: urgentTask,
    forLeaseClass: 'on_demand',
  });
  const told = await eventually(async () => {
    const assignment = await assignmentOn('node_c', spotTask);
    return assignment.deadline < spot.deadline ? assignment : undefined;
  });
  expect([told.leaseId, told.deadline]).toEqual([spot.leaseId, notice.noticeUntil]);

  await report('node_c', completed(told));
  const result = await completionOf(spot.leaseId);
  expect(result).toMatchObject({ digest, pricePerSecondAtto: 3n });
  expect(result.meteredMs).toBeGreaterThan(0);
  expect(await runOn('node_c', urgentTask)).toMatchObject({ digest });
}, 60_000);
