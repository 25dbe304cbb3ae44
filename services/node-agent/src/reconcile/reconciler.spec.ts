import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { newId } from '@astro/event-sourcing/ids';
import { silent } from '@astro/jetstream/log';
import type { AttestationKind } from '@astro/messages/registry';
import type { Assignment, NodeReport } from '@astro/messages/agent';
import { ContentCache } from '../content/content-cache.js';
import { cidOf } from '@astro/messages/content-id';
import { Content } from '../content/content.js';
import { EndpointDesk } from '../endpoint/endpoint-desk.js';
import { GatewayClient } from '../gateway/gateway-client.js';
import { WasmRuntime } from '../runtime/wasm-runtime.js';
import { LeaseJournal } from './lease-journal.js';
import { Reconciler } from './reconciler.js';

/** A machine that is busy with other things only makes it slower. */
jest.setTimeout(60_000);

const ascii = (text: string) => [...new TextEncoder().encode(text)];

/** `(module (memory (export "memory") 1) (func (export "_start") …))` */
const programOf = (code: readonly number[]) =>
  Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...[0x01, 4, 1, 0x60, 0, 0],
    ...[0x03, 2, 1, 0],
    ...[0x05, 3, 1, 0x00, 1],
    ...[0x07, 19, 2, 6, ...ascii('memory'), 0x02, 0, 6, ...ascii('_start'), 0x00, 0],
    ...[0x0a, code.length + 4, 1, code.length + 2, 0, ...code, 0x0b],
  ]);
const quick = programOf([]);
const trapping = programOf([0x00]);
const endless = programOf([0x03, 0x40, 0x0c, 0x00, 0x0b]);

let folder: string;
let gateway: GatewayClient;
let cache: ContentCache;
let runtime: WasmRuntime;
let reconcilers: Reconciler[];
let reports: NodeReport[];
let isBusUp: boolean;
let waiting: { readonly isEnough: () => boolean; readonly resolve: () => void }[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'astro-leases-'));
  // Nothing listens there: whatever is not in the cache is not available.
  gateway = new GatewayClient('http://127.0.0.1:9');
  cache = await ContentCache.open(join(folder, 'content'), 10_000);
  for (const program of [quick, trapping, endless]) await cache.put(cidOf(program), program);
  runtime = new WasmRuntime();
  [reconcilers, reports, isBusUp, waiting] = [[], [], true, []];
});

afterEach(async () => {
  await Promise.all(reconcilers.map(reconciler => reconciler.close()));
  await runtime.close();
  gateway.close();
  await rm(folder, { recursive: true, force: true });
});

async function startAgent(tasksMax = 2, attestationClaimed?: AttestationKind): Promise<Reconciler> {
  const reconciler = new Reconciler({
    journal: await LeaseJournal.open(join(folder, 'leases')),
    content: new Content(gateway, cache, () => Promise.resolve('token')),
    runtime,
    endpoints: new EndpointDesk(),
    tasksMax,
    attestationClaimed,
    identities: () => [],
    log: silent,
    tellLogs: () => undefined,
    tellProgress: () => undefined,
    report: async report => {
      if (!isBusUp) throw new Error('the bus is away');
      reports.push(report);
      for (const { isEnough, resolve } of waiting) if (isEnough()) resolve();
    },
  });
  reconcilers.push(reconciler);
  return reconciler;
}

const until = (isEnough: () => boolean): Promise<void> =>
  new Promise(resolve => (isEnough() ? resolve() : waiting.push({ isEnough, resolve })));
const ofType = (type: NodeReport['type']) => reports.filter(report => report.type === type);

function assignmentOf(program: Uint8Array, changes: Partial<Assignment> = {}): Assignment {
  const limits = { timeLimitMs: 60_000, memoryLimitMib: 1, outputLimitBytes: 100 };
  return {
    poolId: 'main',
    leaseId: newId('lease'),
    jobId: newId('job'),
    taskId: newId('task'),
    fencingToken: 1,
    deadline: new Date(Date.now() + 120_000),
    program: { cid: cidOf(program), ...limits },
    inputs: [],
    args: [],
    attestations: [],
    ...changes,
  };
}

const desired = (...assignments: readonly Assignment[]) => ({ nodeId: 'node', assignments });
const leaseOf = ({ poolId, leaseId, fencingToken }: Assignment) => ({ poolId, leaseId, fencingToken });

describe('what asks for attestation', () => {
  const attestations = ['tdx', 'sev_snp'] as const;

  test('is not run on a machine that does not claim it', async () => {
    const agent = await startAgent(2, 'tpm');
    await agent.want(desired(assignmentOf(quick, { attestations })));
    await until(() => ofType('TaskFailed').length > 0);
    expect(ofType('TaskFailed')[0]!.data).toMatchObject({
      reason: 'this machine cannot prove what the task needs: tdx, sev_snp',
    });
    expect(ofType('TaskStarted')).toEqual([]);
  });

  test('is run on one that does', async () => {
    const agent = await startAgent(2, 'sev_snp');
    await agent.want(desired(assignmentOf(quick, { attestations })));
    await until(() => ofType('TaskCompleted').length > 0);
  });
});

describe('a replica of a service', () => {
  const orders = { runEveryMs: 1, reportEveryMs: 20 };
  const soon = () => new Date(Date.now() + 300);

  test('runs its program again and again, and says so', async () => {
    const agent = await startAgent();
    const assignment = assignmentOf(quick, { replica: orders });
    await agent.want(desired(assignment));
    const runs = () =>
      reports.reduce((sum, { type, data }) => sum + (type === 'ReplicaRunning' ? data.runs : 0), 0);
    await until(() => runs() >= 3);
    expect(ofType('TaskStarted')).toHaveLength(1);
    expect(ofType('TaskCompleted')).toEqual([]);
    expect(reports.at(-1)).toMatchObject({
      type: 'ReplicaRunning',
      data: { ...leaseOf(assignment), outputs: [], digest: expect.stringMatching(/^[0-9a-f]{64}$/) },
    });
  });

  test('is busy while its program runs, whether that ends or not', async () => {
    const agent = await startAgent();
    await agent.want(desired(assignmentOf(endless, { replica: orders })));
    await until(() => ofType('ReplicaRunning').length >= 3);
    const [, second] = ofType('ReplicaRunning');
    expect(second).toMatchObject({ data: { runs: 0, digest: '' } });
    expect(reports.some(({ type, data }) => type === 'ReplicaRunning' && data.busyMs > 0)).toBe(true);
  });

  test('ends as failed when its program keeps failing', async () => {
    await (await startAgent()).want(desired(assignmentOf(trapping, { replica: orders })));
    await until(() => ofType('TaskFailed').length > 0);
    expect(reports.at(-1)).toMatchObject({
      data: { reason: 'the program keeps failing: program_trapped, 5 times in a row' },
    });
  });

  test('outlives its first deadline when its lease is renewed, and stops at the last', async () => {
    const agent = await startAgent();
    const assignment = assignmentOf(endless, { replica: orders, deadline: soon() });
    await agent.want(desired(assignment));
    await until(() => ofType('ReplicaRunning').length > 0);
    const deadline = new Date(assignment.deadline.getTime() + 300);
    await agent.want(desired({ ...assignment, deadline }));
    const before = () => Date.now() > assignment.deadline.getTime() && ofType('ReplicaRunning').length > 0;
    await until(before);
    expect(agent.runningLeases).toBe(1);
    while (agent.runningLeases > 0) await sleep(10);
    expect(Date.now()).toBeGreaterThanOrEqual(deadline.getTime());
    expect(ofType('TaskFailed')).toEqual([]);
  });

  test('stops when it is no longer wanted', async () => {
    const agent = await startAgent();
    await agent.want(desired(assignmentOf(endless, { replica: orders })));
    await until(() => ofType('ReplicaRunning').length > 0);
    await agent.want(desired());
    while (agent.runningLeases > 0) await sleep(10);
    expect(ofType('TaskFailed')).toEqual([]);
  });
});

describe('what is desired', () => {
  test('runs once: it is reported as started, then as completed', async () => {
    const agent = await startAgent();
    const assignment = assignmentOf(quick);
    await agent.want(desired(assignment));
    await agent.want(desired(assignment));
    await until(() => ofType('TaskCompleted').length > 0);
    await agent.want(desired(assignment));
    expect(reports).toMatchObject([
      { type: 'TaskStarted', data: leaseOf(assignment) },
      { type: 'TaskCompleted', data: { ...leaseOf(assignment), fault: 'none', outputs: [] } },
    ]);
  });

  test('a program that traps completes with its fault', async () => {
    await (await startAgent()).want(desired(assignmentOf(trapping)));
    await until(() => ofType('TaskCompleted').length > 0);
    expect(reports.at(-1)).toMatchObject({ data: { fault: 'program_trapped' } });
  });

  test('a task whose inputs cannot be had fails at the node, and was never started', async () => {
    const missing = { name: 'weights', cid: cidOf(Uint8Array.from(ascii('missing'))) };
    await (await startAgent()).want(desired(assignmentOf(quick, { inputs: [missing] })));
    await until(() => reports.length > 0);
    expect(reports.map(({ type }) => type)).toEqual(['TaskFailed']);
  }, 30_000);

  test('no more tasks run at a time than the node offers, and the next one starts when there is room', async () => {
    const agent = await startAgent(1);
    const [first, second] = [assignmentOf(endless), assignmentOf(quick)];
    await agent.want(desired(first, second));
    await until(() => ofType('TaskStarted').length === 1);
    expect(agent.runningLeases).toBe(1);
    await agent.want(desired(second));
    await until(() => ofType('TaskCompleted').length === 1);
    expect(reports.map(({ data }) => 'leaseId' in data && data.leaseId)).toEqual([
      first.leaseId,
      second.leaseId,
      second.leaseId,
    ]);
  });
});

describe('what is no longer desired', () => {
  test('stops, and nothing is reported of it', async () => {
    const agent = await startAgent();
    await agent.want(desired(assignmentOf(endless)));
    await until(() => ofType('TaskStarted').length === 1);
    await agent.want(desired());
    await agent.close();
    expect(agent.runningLeases).toBe(0);
    expect(reports).toHaveLength(1);
  });

  test('a lease past its deadline does not start, and one that reaches it stops', async () => {
    const agent = await startAgent();
    const late = assignmentOf(quick, { deadline: new Date(Date.now() - 1) });
    const soon = assignmentOf(endless, { deadline: new Date(Date.now() + 300) });
    await agent.want(desired(late, soon));
    await until(() => ofType('TaskStarted').length === 1);
    const next = assignmentOf(quick);
    await agent.want(desired(late, soon, next));
    await until(() => ofType('TaskCompleted').length === 1);
    expect(reports.map(({ data }) => 'leaseId' in data && data.leaseId)).not.toContain(late.leaseId);
  });
});

describe('a lease whose deadline moves, as by a notice', () => {
  const inMs = (ms: number) => new Date(Date.now() + ms);

  test('stops at the new one, without a report, and makes room for the next', async () => {
    const agent = await startAgent(1);
    const [preempted, next] = [assignmentOf(endless), assignmentOf(quick)];
    await agent.want(desired(preempted));
    await until(() => ofType('TaskStarted').length === 1);
    await agent.want(desired({ ...preempted, deadline: inMs(200) }, next));
    await until(() => ofType('TaskCompleted').length === 1);
    expect(reports.map(({ data }) => 'leaseId' in data && data.leaseId)).toEqual([
      preempted.leaseId,
      next.leaseId,
      next.leaseId,
    ]);
  });

  test('completes if it is done before', async () => {
    const agent = await startAgent();
    const assignment = assignmentOf(endless, {
      program: { cid: cidOf(endless), timeLimitMs: 300, memoryLimitMib: 1, outputLimitBytes: 100 },
    });
    await agent.want(desired(assignment));
    await until(() => ofType('TaskStarted').length === 1);
    await agent.want(desired({ ...assignment, deadline: inMs(60_000) }));
    await until(() => ofType('TaskCompleted').length === 1);
    expect(reports.at(-1)).toMatchObject({ data: { fault: 'program_timed_out' } });
  });
});

describe('after a crash', () => {
  test('a result that was not reported is reported, without another run', async () => {
    const assignment = assignmentOf(trapping);
    const before = await startAgent();
    await before.want(desired(assignment));
    await until(() => ofType('TaskStarted').length === 1);
    isBusUp = false;
    await untilRecorded();
    isBusUp = true;
    const after = await startAgent();
    await after.want(desired(assignment));
    await until(() => ofType('TaskCompleted').length === 1);
    expect(ofType('TaskStarted')).toHaveLength(1);
  });

  test('a task that was running runs again', async () => {
    const assignment = assignmentOf(endless);
    const before = await startAgent();
    await before.want(desired(assignment));
    await until(() => ofType('TaskStarted').length === 1);
    await before.close();
    await (await startAgent()).want(desired(assignment));
    await until(() => ofType('TaskStarted').length === 2);
    expect(reports).toHaveLength(2);
  });

  test('a lease that ended and is forgotten by the platform leaves nothing behind', async () => {
    const agent = await startAgent();
    await agent.want(desired(assignmentOf(quick)));
    await until(() => ofType('TaskCompleted').length === 1);
    await agent.close();
    await writeFile(join(folder, 'leases', '.half.tmp'), 'half');
    const after = await startAgent();
    await after.want(desired());
    expect(await readdir(join(folder, 'leases'))).toEqual([]);
  });
});

/** Resolves when the end of a lease is on disk. */
async function untilRecorded(): Promise<void> {
  for (;;) {
    const names = await readdir(join(folder, 'leases'));
    if (names.some(name => name.endsWith('.json'))) return;
    await new Promise(resolve => setTimeout(resolve, 10));
  }
}

describe('a lease that is evicted', () => {
  test('ends as failed at this node, and is not run here again', async () => {
    const reconciler = await startAgent();
    const assignment = assignmentOf(endless);
    await reconciler.want(desired(assignment));
    await until(() => ofType('TaskStarted').length === 1);
    expect(reconciler.evictable()).toMatchObject([{ leaseId: assignment.leaseId, canKeep: false }]);
    await reconciler.evict(assignment.leaseId, '10 MiB of memory left, 256 needed');
    expect(reconciler.evictable()).toEqual([]);
    const reason = 'the node runs short: 10 MiB of memory left, 256 needed';
    await until(() => ofType('TaskFailed').length === 1);
    expect(ofType('TaskFailed')).toEqual([{ type: 'TaskFailed', data: { ...leaseOf(assignment), reason } }]);
    await reconciler.reconcile();
    expect(reconciler.runningLeases).toBe(0);
    expect(ofType('TaskStarted')).toHaveLength(1);
  });

  test('has been told so before it is stopped, where it can keep its state', async () => {
    const reconciler = await startAgent();
    const assignment = assignmentOf(endless, { checkpoints: { everyMs: 1_000, sizeLimitBytes: 100 } });
    await reconciler.want(desired(assignment));
    await until(() => ofType('TaskStarted').length === 1);
    const evicting = reconciler.evict(assignment.leaseId, 'short');
    await sleep(100);
    expect([reconciler.evictable(), reconciler.runningLeases]).toEqual([[], 1]);
    // Nobody wants it any more: it need not be waited for.
    await reconciler.want(desired());
    await evicting;
    expect(reconciler.runningLeases).toBe(0);
  });
});
