import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { bubblewrapBinary } from '@astro/devstack/bubblewrap';
import { Exchange } from '@astro/jetstream/exchange';
import { silent } from '@astro/jetstream/log';
import type { Assignment, NodeReport, ReplicaOrders } from '@astro/messages/agent';
import { cidOf } from '@astro/messages/content-id';
import type { Server } from '@astro/messages/scheduling';
import { ContentCache } from '../content/content-cache.js';
import { Content } from '../content/content.js';
import { GatewayClient } from '../gateway/gateway-client.js';
import { ProcessRuntime } from '../process/process-runtime.js';
import type { EndReport } from '../reconcile/lease-journal.js';
import { EndpointDesk } from './endpoint-desk.js';
import { executeServer } from './execute-server.js';

/** A machine that is busy with other things only makes it slower. */
jest.setTimeout(60_000);

const isRoot = process.getuid?.() === 0;
const PROGRAM = new URL('../../../../examples/tokens/serve.pl', import.meta.url);
const broken = new TextEncoder().encode('#!/bin/sh\necho nothing to serve >&2\nexit 3\n');
const server: Server = {
  port: 8_080,
  protocol: 'http',
  requestsAtOnce: 2,
  answerWithinMs: 1_000,
  health: {
    path: '/health',
    intervalMs: 100,
    timeoutMs: 10_000,
    healthyAfter: 1,
    unhealthyAfter: 1,
    startWithinMs: 30_000,
  },
};

let folder: string;
let runtime: ProcessRuntime;
let content: Content;
let gateway: GatewayClient;
let program: Uint8Array;
let desk: EndpointDesk;
let orders: ReplicaOrders;
let reports: NodeReport[];
let stop: AbortController;
let ended: Promise<EndReport> | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'astro-server-'));
  runtime = new ProcessRuntime({
    bubblewrap: await bubblewrapBinary(),
    stateDir: folder,
    rootFolder: undefined,
    networkNamespace: undefined,
    limits: 'each',
    firstUserId: 2_000_003_000,
  });
  await runtime.available();
  // Nothing listens there: what is needed is in the cache.
  gateway = new GatewayClient('http://127.0.0.1:9');
  const cache = await ContentCache.open(join(folder, 'content'), 100_000);
  program = await readFile(PROGRAM);
  for (const bytes of [program, broken]) await cache.put(cidOf(bytes), bytes);
  content = new Content(gateway, cache, () => Promise.resolve('token'));
}, 120_000);

afterAll(async () => {
  await runtime.close();
  gateway.close();
  await rm(folder, { recursive: true });
});

beforeEach(() => {
  [desk, reports, stop, ended] = [new EndpointDesk(), [], new AbortController(), undefined];
  orders = { runEveryMs: 0, reportEveryMs: 100, server, isUnderNotice: false };
});

afterEach(async () => {
  stop.abort(new Error('the lease was taken back'));
  await ended?.catch(() => undefined);
});

function start(bytes: Uint8Array): Promise<EndReport> {
  const limits = { timeLimitMs: 1, memoryLimitMib: 64, outputLimitBytes: 100 };
  const assignment: Assignment = {
    poolId: 'main',
    leaseId: 'lease_1',
    jobId: 'job_1',
    taskId: 'task_1',
    fencingToken: 7,
    deadline: new Date(0),
    program: { cid: cidOf(bytes), runtime: 'process', ...limits },
    inputs: [],
    args: [],
    attestations: [],
  };
  const report = (told: NodeReport) => Promise.resolve(void reports.push(told));
  const started = () => Promise.resolve();
  const own = { content, runtime, endpoints: desk, identities: () => [], log: silent };
  const execution = { ...own, started, report, orders: () => orders };
  ended = executeServer(assignment, server, execution, stop.signal);
  ended.catch(() => undefined);
  return ended;
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(20);
}
const told = (type: NodeReport['type']) => reports.filter(report => report.type === type);

/** The gateway's side of an exchange, with nothing but time between the two. */
function ask(path: string, fencingToken = 7, hasBody = false): Exchange {
  const asking: Exchange = new Exchange({
    say: frame => queueMicrotask(() => answering.hear(frame)),
    over: () => undefined,
  });
  const answering: Exchange = new Exchange({
    say: frame => queueMicrotask(() => asking.hear(frame)),
    over: () => undefined,
  });
  const request = { leaseId: 'lease_1', fencingToken, method: hasBody ? 'POST' : 'GET', path, hasBody };
  const head = { ...request, headers: [{ name: 'host', value: 'localhost' }] };
  asking.request(head);
  desk.take(head, answering);
  return asking;
}

async function textOf(exchange: Exchange): Promise<string> {
  let text = '';
  for await (const piece of exchange.body()) text += Buffer.from(piece).toString();
  return text;
}

/** Only root may enter the network of a sandbox; others do not offer servers. */
const testAsRoot = (title: string, run: () => Promise<void>) =>
  test(title, () => (isRoot ? run() : Promise.resolve()));

describe('a server', () => {
  testAsRoot(
    'is reached in its own network, answers for as long as it runs, and says how busy that makes it',
    async () => {
      void start(program);
      await until(() => told('ReplicaHealthy').length > 0);
      const name = ask('/name');
      expect((await name.answered()).status).toBe(200);
      expect(await textOf(name)).toMatch(/^\d{12}$/);
      const late = ask('/slow');
      await expect(late.answered()).rejects.toMatchObject({ breach: 'late' });
      await expect(ask('/name', 8).answered()).rejects.toMatchObject({ breach: 'not_here' });
      await until(() => reports.some(({ type, data }) => type === 'ReplicaRunning' && data.busyMs > 0));
      // Half of what it takes at once was in flight for a second.
      const busyMs = reports.reduce(
        (sum, { type, data }) => sum + (type === 'ReplicaRunning' ? data.busyMs : 0),
        0,
      );
      expect(busyMs).toBeGreaterThan(0);
    },
  );

  testAsRoot('takes no more requests at once than it may, and none once its lease has notice', async () => {
    void start(program);
    await until(() => told('ReplicaHealthy').length > 0);
    const both = [ask('/slow'), ask('/slow')];
    await expect(ask('/name').answered()).rejects.toMatchObject({ breach: 'not_taken' });
    for (const exchange of both) exchange.breakOff('withdrawn', 'the client has gone');
    orders = { ...orders, isUnderNotice: true };
    await expect(ask('/name').answered()).rejects.toMatchObject({ message: 'the replica stops' });
  });

  testAsRoot('answers what is in flight before it stops', async () => {
    const end = start(program);
    await until(() => told('ReplicaHealthy').length > 0);
    const asked = ask('/v1/completions', 7, true);
    await asked.write(Buffer.from('one two'));
    asked.finish();
    await asked.answered();
    stop.abort(new Error('the lease was taken back'));
    expect(await textOf(asked)).toContain('[DONE]');
    await expect(end).rejects.toThrow('the lease was taken back');
  });

  testAsRoot('that ends is started again, and says so', async () => {
    void start(program);
    await until(() => told('ReplicaHealthy').length === 1);
    const first = await textOf(ask('/name'));
    await expect(ask('/crash').answered()).rejects.toMatchObject({ breach: 'broken_off' });
    await until(() => told('ReplicaHealthy').length === 2);
    expect(told('ReplicaUnhealthy')[0]).toMatchObject({ data: { leaseId: 'lease_1', fencingToken: 7 } });
    expect(await textOf(ask('/name'))).not.toBe(first);
  });

  testAsRoot('that never listens is given up after some starts, with its own words', async () => {
    expect(await start(broken)).toMatchObject({
      type: 'TaskFailed',
      data: { reason: expect.stringMatching(/nothing to serve, after 4 starts$/) },
    });
    expect(told('ReplicaHealthy')).toEqual([]);
  });
});
