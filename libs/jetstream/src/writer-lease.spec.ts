import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNats, type NatsServer } from '@astro/devstack/nats/server';
import { newId } from '@astro/event-sourcing/ids';
import type { Assignment } from '@astro/messages/agent';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Bus } from './bus.js';
import { DesiredStates } from './desired-state.js';
import { KeyValue } from './key-value.js';
import { ensureStreams } from './streams.js';
import { WriterLease } from './writer-lease.js';

let dir: string;
let server: NatsServer;
let bus: Bus;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'astro-writer-lease-'));
  server = await startNats({ dir });
  bus = await Bus.connect({ servers: server.url, name: 'writer-lease-spec' });
  await ensureStreams(bus);
}, 120_000);

afterAll(async () => {
  await bus.close();
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

test('of many that want a lease exactly one gets it, and renewing keeps it', async () => {
  const key = newId('pool');
  const rivals = Array.from(
    { length: 5 },
    (_, index) => new WriterLease(bus, key, `process-${index}`, 30_000),
  );
  const won = await Promise.all(rivals.map(lease => lease.acquire()));
  expect(won.filter(Boolean)).toHaveLength(1);
  expect(rivals.map(({ isHeld }) => isHeld)).toEqual(won);
  const holder = rivals[won.indexOf(true)]!;
  expect(await holder.renew()).toBe(true);
  expect(await rivals.find(lease => lease !== holder)!.acquire()).toBe(false);
});

test('a released lease goes to the next at once', async () => {
  const key = newId('pool');
  const [first, second] = ['first', 'second'].map(holder => new WriterLease(bus, key, holder, 30_000));
  await first!.acquire();
  await first!.release();
  expect(first!.isHeld).toBe(false);
  expect(await second!.acquire()).toBe(true);
  expect(await first!.acquire()).toBe(false);
});

test('the lease of a holder that fell silent goes to another, and the first one notices', async () => {
  const key = newId('pool');
  const [silent, next] = ['silent', 'next'].map(holder => new WriterLease(bus, key, holder, 1_000));
  await silent!.acquire();
  while (!(await next!.acquire())) await new Promise(resolve => setTimeout(resolve, 50));
  expect(silent!.isHeld).toBe(false);
  expect(await silent!.renew()).toBe(false);
  expect(await next!.renew()).toBe(true);
});

test('of several that write what a node should run, the one that knows most wins', async () => {
  const nodeId = newId('node');
  const writers = [1, 2, 3].map(() => new DesiredStates(bus));
  const orders = Array.from({ length: 30 }, (_, index) => index + 1).sort(() => Math.random() - 0.5);
  await Promise.all(
    orders.map((asOf, index) => writers[index % 3]!.put({ nodeId, assignments: [assignment(asOf)] }, asOf)),
  );
  const standing = (await writers[0]!.get(nodeId))!;
  expect(standing.state.assignments.map(({ fencingToken }) => fencingToken)).toEqual([30]);
  expect(await writers[0]!.put({ nodeId, assignments: [] }, 29)).toBe(standing.revision);
  expect(await writers[0]!.get(nodeId)).toEqual(standing);
  expect(await writers[0]!.put({ nodeId, assignments: [] }, 30)).toBeGreaterThan(standing.revision);
});

const assignment = (fencingToken: number): Assignment => ({
  poolId: 'main',
  leaseId: 'lease_1',
  jobId: 'job_1',
  taskId: 'task_1',
  fencingToken,
  deadline: new Date(0),
  program: { cid: 'cid', timeLimitMs: 1, memoryLimitMib: 1, outputLimitBytes: 1 },
  inputs: [],
  args: [],
  attestations: [],
});

test('a key is created once, until it is deleted', async () => {
  const records = await KeyValue.open(bus, 'idempotency');
  const key = newId('key');
  const [one, two] = ['one', 'two'].map(text => new TextEncoder().encode(text));
  expect(await records.get(key)).toBeUndefined();
  const created = await Promise.all([records.create(key, one!), records.create(key, one!)]);
  expect(created.sort()).toEqual([false, true]);
  await records.put(key, two!);
  expect(Buffer.from((await records.get(key))!).toString()).toBe('two');
  await records.delete(key);
  expect(await records.get(key)).toBeUndefined();
  expect(await records.create(key, one!)).toBe(true);
  await expect(records.put(key, new Uint8Array(256 * 1024 + 1))).rejects.toThrow(/at most/);
});
