import { hash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { newId } from '@astro/event-sourcing/ids';
import type { AuditOrder, NodeReport } from '@astro/messages/agent';
import { commitmentText, exchangeOf } from '@astro/messages/commitment';
import { cidOf } from '@astro/messages/content-id';
import { resultDigest } from '@astro/messages/result-digest';
import type { Content } from '../content/content.js';
import type { TaskRunner } from '../runtime/task-runtime.js';
import { Validator } from './validator.js';
import { VerdictJournal } from './verdict-journal.js';

const nodeId = newId('node');
const output = Buffer.from('found');
const digest = resultDigest('none', [{ name: 'out', cid: cidOf(output), sizeBytes: output.length }]);
const content = { fetch: () => Promise.resolve(new Uint8Array()) } as unknown as Content;
const silent = { info: () => {}, warn: () => {}, error: () => {} };
let folder: string;
let runs: number;
let reports: NodeReport[];
let validator: Validator;

const runtime: TaskRunner = {
  run() {
    runs += 1;
    const outputs = [{ name: 'out', bytes: new Uint8Array(output) }];
    return Promise.resolve({ fault: 'none', outputs, stdoutTail: '', stderrTail: '' });
  },
};
const open = async (runner = runtime) =>
  new Validator({
    ...{ nodeId, content, runtime: runner, log: silent, journal: await VerdictJournal.open(folder) },
    report: report => Promise.resolve(void reports.push(report)),
  });
const orderOf = (change: Partial<AuditOrder> = {}): AuditOrder => ({
  ...{
    taskId: newId('task'),
    round: 1,
    commitUntil: new Date(1),
    revealUntil: new Date(2),
    mayReveal: false,
  },
  work: {
    program: { cid: cidOf(output), timeLimitMs: 1, memoryLimitMib: 1, outputLimitBytes: 1 },
    ...{ inputs: [], args: [] },
  },
  ...change,
});
async function given(...orders: readonly AuditOrder[]): Promise<readonly NodeReport[]> {
  const before = reports.length;
  validator.want({ nodeId, orders });
  await validator.close();
  validator = await open();
  return reports.slice(before);
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'astro-validator-'));
  [runs, reports] = [0, []];
  validator = await open();
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('what was found is fixed first, and told when it may be, whatever process was killed in between', async () => {
  const order = orderOf();
  const [committed] = await given(order);
  const [revealed] = await given({ ...order, mayReveal: true });
  expect(revealed).toMatchObject({ type: 'AuditRevealed', data: { taskId: order.taskId, round: 1, digest } });
  const { salt } = revealed!.data as { salt: string };
  expect(salt).toMatch(/^[0-9a-f]{64}$/);
  const commitment = hash('sha256', commitmentText(exchangeOf(order.taskId, 1), nodeId, { digest, salt }));
  expect(committed).toEqual({ type: 'AuditCommitted', data: { taskId: order.taskId, round: 1, commitment } });
  expect(runs).toBe(1);
});

test('the same order again is answered by the same commitment, and not run again', async () => {
  const order = orderOf();
  const first = await given(order);
  expect(await given(order)).toEqual(first);
  expect(runs).toBe(1);
});

test('nothing is begun that would be late, and nothing kept that is not ordered any more', async () => {
  const order = orderOf();
  expect(await given({ ...order, mayReveal: true })).toEqual([]);
  expect(runs).toBe(0);
  await given(order);
  await given();
  await given(order);
  expect(runs).toBe(2);
});

test('what cannot be run is told by nobody, and keeps no other from being run', async () => {
  const [bad, good] = [orderOf(), orderOf()];
  const broken: TaskRunner = {
    run: (assignment, ...rest) =>
      assignment.taskId === bad.taskId
        ? Promise.reject(new Error('disk full'))
        : runtime.run(assignment, ...rest),
  };
  validator = await open(broken);
  validator.want({ nodeId, orders: [bad, good] });
  while (reports.length === 0) await sleep(1);
  expect(reports.map(({ data }) => (data as { taskId: string }).taskId)).toEqual([good.taskId]);
});
