import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rename, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { bubblewrapBinary } from '@astro/devstack/bubblewrap';
import { Platform } from '@astro/devstack/platform';
import { newId } from '@astro/event-sourcing/ids';
import type { Bus } from '@astro/jetstream/bus';
import { DesiredStates } from '@astro/jetstream/desired-state';
import { Lane } from '@astro/jetstream/lane';
import { silent } from '@astro/jetstream/log';
import type { Assignment, NodeReport } from '@astro/messages/agent';
import { decode } from '@astro/messages/codec';
import { cidOf } from '@astro/messages/content-id';

/** The spec speaks for the scheduler: it writes desired states and hears the reports. All else is the platform. */
const AGENT = {
  name: 'alpha',
  region: 'de-fra',
  pricePerSecondAtto: 1_000n,
  cpuMillis: 1_000,
  memoryMib: 256,
  heartbeatMs: 500,
};
const PROGRAM_FILE = new URL('../../../examples/digits/build/train.wasm', import.meta.url);
const never = 1_000_000_000;

let platform: Platform;
let bus: Bus;
let lane: Lane;
let nodeId: string;
let keys: { tenant: string; operator: string };
let desired: DesiredStates;
let assignments: readonly Assignment[] = [];
let inputs: Assignment['inputs'];
let program: string;
const reports: NodeReport[] = [];
const waiting: { readonly isEnough: () => boolean; readonly resolve: () => void }[] = [];

const authorized = (key: string) => ({ authorization: `Bearer ${key}` });
const ofType = (type: NodeReport['type'], { leaseId }: Assignment) =>
  reports.filter(
    report => report.type === type && 'leaseId' in report.data && report.data.leaseId === leaseId,
  );
const until = (isEnough: () => boolean): Promise<void> =>
  new Promise(resolve => (isEnough() ? resolve() : waiting.push({ isEnough, resolve })));

async function upload(bytes: Uint8Array): Promise<string> {
  const cid = cidOf(bytes);
  const headers = { ...authorized(keys.tenant), 'content-type': 'application/octet-stream' };
  const body = bytes as Uint8Array<ArrayBuffer>;
  const { ok } = await fetch(`${platform.gatewayUrl}/v1/content/${cid}`, { method: 'PUT', headers, body });
  expect(ok).toBe(true);
  return cid;
}

async function nodes(): Promise<
  {
    id: string;
    status: string;
    region: string;
    inventory: { cpuMillis: number; runtimes: string[]; devices: { kind: string; model: string }[] };
  }[]
> {
  const response = await fetch(`${platform.gatewayUrl}/v1/nodes`, { headers: authorized(keys.tenant) });
  return ((await response.json()) as { items: never[] }).items;
}

const want = async (...wanted: readonly Assignment[]) => {
  assignments = wanted;
  await desired.put({ nodeId, assignments }, 1);
};

const assignmentOf = (epochs: number, timeLimitMs = 60_000): Assignment => ({
  poolId: 'main',
  leaseId: newId('lease'),
  jobId: newId('job'),
  taskId: newId('task'),
  fencingToken: 1,
  deadline: new Date(Date.now() + 120_000),
  program: { cid: program, timeLimitMs, memoryLimitMib: 16, outputLimitBytes: 100_000 },
  inputs,
  args: [String(epochs), '0.1', '1'],
  attestations: [],
});

async function hear(subject: string, data: Uint8Array): Promise<void> {
  const type = subject.split('.')[2] as NodeReport['type'];
  reports.push({ type, data: decode(`astro.agent.v1.${type}`, data) } as NodeReport);
  if (type === 'DesiredStateWanted') await desired.put({ nodeId, assignments }, 1);
  for (const { isEnough, resolve } of waiting) if (isEnough()) resolve();
}

beforeAll(async () => {
  const stateDir = await mkdtemp(join(tmpdir(), 'astro-agent-'));
  platform = await Platform.start({ stateDir, services: ['registry', 'gateway'] });
  bus = await platform.connectBus('spec');
  desired = new DesiredStates(bus);
  const [tenant, operator] = [
    await platform.administration().registerTenant('Spec'),
    await platform.administration().registerOperator('Spec nodes'),
  ];
  keys = { tenant: tenant.apiKey, operator: operator.apiKey };
  // Where the machine lets nobody but root make groups, each process is limited alone.
  const PROCESS_LIMITS = process.getuid?.() === 0 ? 'together' : 'each';
  const settings = { RUNTIMES: 'wasm,process', BUBBLEWRAP: await bubblewrapBinary(), PROCESS_LIMITS };
  await platform.startAgent({ ...AGENT, settings, operatorKey: keys.operator });
  nodeId = (await nodes())[0]!.id;
  const filterSubjects = ['TaskStarted', 'TaskCompleted', 'TaskFailed', 'DesiredStateWanted'].map(
    report => `agent.${nodeId}.${report}`,
  );
  const handle = ({ subject, data }: { subject: string; data: Uint8Array }) => hear(subject, data);
  lane = new Lane(bus, { stream: 'AGENT_REPORTS', durable: 'spec', filterSubjects, handle }, silent);
  await lane.start();
  program = await upload(new Uint8Array(await readFile(PROGRAM_FILE)));
  const header = [...new TextEncoder().encode('DIG1'), 1, 0, 0, 0, 1, 0, 0, 0];
  inputs = [
    { name: 'weights', cid: await upload(new Uint8Array(4 * (4 * 795 + 10))) },
    {
      name: 'shard',
      cid: await upload(Uint8Array.from([...header, ...new Array<number>(784).fill(255), 7])),
    },
  ];
}, 180_000);

afterAll(async () => {
  await lane?.stop();
  await platform?.forget();
}, 60_000);

describe('a node agent', () => {
  test('enrols what its operator offers of the machine', async () => {
    const servers = process.getuid?.() === 0 ? ['process+server'] : [];
    const inventory = { cpuMillis: 1_000, runtimes: ['wasm', 'process', ...servers] };
    expect(await nodes()).toMatchObject([{ id: nodeId, region: 'de-fra', inventory }]);
  });

  test('runs what is desired, stores the outputs and commits to them by digest', async () => {
    const assignment = assignmentOf(1);
    await want(assignment);
    await until(() => ofType('TaskCompleted', assignment).length > 0);
    expect(ofType('TaskStarted', assignment)).toHaveLength(1);
    const completed = ofType('TaskCompleted', assignment)[0]!;
    if (completed.type !== 'TaskCompleted') throw new Error('another report');
    const { fault, outputs, digest } = completed.data;
    expect([fault, outputs.map(({ name }) => name)]).toEqual(['none', ['weights']]);
    const { cid } = outputs[0]!;
    const stored = await fetch(`${platform.gatewayUrl}/v1/content/${cid}`, {
      headers: authorized(keys.tenant),
    });
    const bytes = new Uint8Array(await stored.arrayBuffer());
    expect([bytes.length, cidOf(bytes)]).toEqual([outputs[0]!.sizeBytes, cid]);
    const committed = JSON.stringify(['none', ['weights', cid]]);
    expect(digest).toBe(createHash('sha256').update(committed).digest('hex'));
  }, 60_000);

  test('runs an executable file in a sandbox of its own', async () => {
    const script =
      '#!/bin/sh\ncat /input/greeting > /output/copy; ls -A /root /home > /output/homes 2>&1; true\n';
    const cid = await upload(new TextEncoder().encode(script));
    const greeting = { name: 'greeting', cid: await upload(new TextEncoder().encode('hello')) };
    const plain = assignmentOf(1);
    const assignment: Assignment = {
      ...plain,
      program: { ...plain.program, cid, runtime: 'process' },
      inputs: [greeting],
      args: [],
    };
    await want(assignment);
    await until(() => ofType('TaskCompleted', assignment).length > 0);
    expect(ofType('TaskCompleted', assignment)).toMatchObject([
      { data: { fault: 'none', outputs: [{ name: 'copy', cid: greeting.cid }, { name: 'homes' }] } },
    ]);
  }, 60_000);

  test('says that it does not run what it does not offer', async () => {
    const plain = assignmentOf(1);
    const image = `shell@sha256:${'0'.repeat(64)}`;
    const assignment: Assignment = {
      ...plain,
      program: { ...plain.program, cid: '', image, runtime: 'container' },
    };
    await want(assignment);
    await until(() => ofType('TaskFailed', assignment).length > 0);
    expect(ofType('TaskFailed', assignment)).toMatchObject([
      { data: { reason: 'the program could not be run: container is not offered by this node' } },
    ]);
  }, 60_000);

  test('stops what is no longer desired, and has room for the next task', async () => {
    const [first, second] = [assignmentOf(never), assignmentOf(1)];
    await want(first);
    await until(() => ofType('TaskStarted', first).length > 0);
    await want(second);
    await until(() => ofType('TaskCompleted', second).length > 0);
    expect([...ofType('TaskCompleted', first), ...ofType('TaskFailed', first)]).toEqual([]);
  }, 60_000);

  test('says which input it could not get', async () => {
    const assignment = { ...assignmentOf(1), inputs: [{ name: 'x', cid: cidOf(Uint8Array.of(1, 2, 3)) }] };
    await want(assignment);
    await until(() => ofType('TaskFailed', assignment).length > 0);
    expect(ofType('TaskFailed', assignment)[0]).toMatchObject({
      data: { reason: expect.stringContaining('content_not_stored') },
    });
    expect(ofType('TaskStarted', assignment)).toEqual([]);
  }, 60_000);

  test('is killed in the middle of a task: it comes back as the same node, and the task ends once', async () => {
    const [ended, running] = [assignmentOf(1), assignmentOf(never, 3_000)];
    await want(ended);
    await until(() => ofType('TaskCompleted', ended).length > 0);
    await want(ended, running);
    await until(() => ofType('TaskStarted', running).length > 0);
    platform.kill(AGENT.name);
    await until(() => ofType('TaskCompleted', running).length > 0);
    expect(ofType('TaskStarted', running)).toHaveLength(2);
    expect(ofType('TaskCompleted', running)).toMatchObject([{ data: { fault: 'program_timed_out' } }]);
    expect(ofType('TaskStarted', ended)).toHaveLength(1);
    expect((await nodes()).map(({ id }) => id)).toEqual([nodeId]);
  }, 90_000);

  test('offers a device that was plugged in, as the same node, and no more once it is gone', async () => {
    const tools = await mkdtemp(join(tmpdir(), 'astro-tools-'));
    const list = async (lines: string) => {
      await writeFile(join(tools, 'next'), `#!/bin/sh\nprintf '${lines}'\n`, { mode: 0o755 });
      await rename(join(tools, 'next'), join(tools, 'nvidia-smi'));
    };
    const untilOffered = async (models: readonly string[]) => {
      for (;;) {
        const [node, ...others] = await nodes();
        expect([node?.id, others]).toEqual([nodeId, []]);
        const gpus = node!.inventory.devices.filter(({ kind }) => kind === 'gpu').map(({ model }) => model);
        if (JSON.stringify(gpus) === JSON.stringify(models)) return;
        await sleep(100);
      }
    };
    await list('');
    const PATH = `${tools}${delimiter}${process.env['PATH']}`;
    await platform.restart(AGENT.name, { PATH, INVENTORY_LOOK_MS: '100' });
    await list('0, GPU-9c73eb7b-8d6d-6c0e-dc13-97873e2ede40, NVIDIA H200, 143771, 700.00, Disabled\\n');
    await untilOffered(['H200']);
    await list('');
    await untilOffered([]);
  }, 60_000);
});
