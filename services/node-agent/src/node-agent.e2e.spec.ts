import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { appendFile, chmod, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
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
import { newApiKey } from '@astro/runtime/api-key';
import { examine } from './cli/doctor/doctor.js';
import { uploadWithCut } from './content/large-upload.fixture.js';
import { GatewayClient } from './gateway/gateway-client.js';
import { identityPath, nextIdentityPath, readIdentity } from './identity/identity.js';
import { recoverKey, rotateKey, type KeyChange } from './identity/rotate-key.js';
import { astroNode, authorized, claimsOf, nodesAt, uploadTo } from './market.fixture.js';

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
const STEPS_FILE = new URL('../../../examples/steps/build/steps.wasm', import.meta.url);
const HEARD = ['TaskStarted', 'TaskCheckpointed', 'TaskCompleted', 'TaskFailed', 'DesiredStateWanted'];
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
let stepsProgram: string;
const reports: NodeReport[] = [];
const waiting: { readonly isEnough: () => boolean; readonly resolve: () => void }[] = [];

const agentDir = () => platform.state.folder('agents', AGENT.name);
const changeOf = () => ({
  stateDir: agentDir(),
  nodeId,
  gateway: new GatewayClient(platform.gatewayUrl),
});
const ofType = (type: NodeReport['type'], { leaseId }: Assignment) =>
  reports.filter(
    report => report.type === type && 'leaseId' in report.data && report.data.leaseId === leaseId,
  );
const until = (isEnough: () => boolean): Promise<void> =>
  new Promise(resolve => (isEnough() ? resolve() : waiting.push({ isEnough, resolve })));

const upload = (bytes: Uint8Array) => uploadTo(platform.gatewayUrl, keys.tenant, bytes);
const nodes = () => nodesAt(platform.gatewayUrl, keys.tenant);
const inMs = (ms: number) => new Date(Date.now() + ms);
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
  const filterSubjects = HEARD.map(report => `agent.${nodeId}.${report}`);
  const handle = ({ subject, data }: { subject: string; data: Uint8Array }) => hear(subject, data);
  lane = new Lane(bus, { stream: 'AGENT_REPORTS', durable: 'spec', filterSubjects, handle }, silent);
  await lane.start();
  program = await upload(new Uint8Array(await readFile(PROGRAM_FILE)));
  stepsProgram = await upload(new Uint8Array(await readFile(STEPS_FILE)));
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

  test('sends an output of more than 64 MiB in parts, and after a cut only those that are missing', async () => {
    const upload = await uploadWithCut(platform.gatewayUrl, keys.operator);
    expect(upload).toEqual({ wasCut: true, isSentOnce: true, isWhole: true });
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

  test('works on through a change of its key, which another process makes', async () => {
    const [running, next] = [assignmentOf(never, 2_000), assignmentOf(1)];
    await want(running);
    await until(() => ofType('TaskStarted', running).length > 0);
    const before = await readIdentity(identityPath(agentDir()));
    const given = await rotateKey({ ...changeOf(), signal: AbortSignal.timeout(30_000) });
    const after = await readIdentity(identityPath(agentDir()));
    expect(after!.publicKey).not.toBe(before!.publicKey);
    expect(claimsOf(given.jwt)).toMatchObject({ sub: after!.publicKey, name: nodeId });
    await until(() => ofType('TaskCompleted', running).length > 0);
    expect(ofType('TaskStarted', running)).toHaveLength(1);
    await want(next);
    await until(() => ofType('TaskCompleted', next).length > 0);
    expect((await nodes()).map(({ id }) => id)).toEqual([nodeId]);
  }, 90_000);

  test.each(['before the platform has it', 'after the platform has it'])(
    'is killed while it changes its key, %s: it goes on as the same node with the new one',
    async moment => {
      const { gateway, ...change } = changeOf();
      const killed: KeyChange['gateway'] = {
        async json(request, schema, signal) {
          if (request.method === 'PUT' && moment.startsWith('before')) throw new Error('killed');
          const answer = await gateway.json(request, schema, signal);
          throw Object.assign(new Error('killed'), { answer });
        },
      };
      const signal = AbortSignal.timeout(30_000);
      await expect(rotateKey({ ...change, gateway: killed, signal })).rejects.toThrow('killed');
      const next = await readIdentity(nextIdentityPath(agentDir()));
      platform.kill(AGENT.name);
      while ((await readIdentity(identityPath(agentDir())))?.publicKey !== next!.publicKey) await sleep(50);
      expect(await readIdentity(nextIdentityPath(agentDir()))).toBeUndefined();
      const assignment = assignmentOf(1);
      await want(assignment);
      await until(() => ofType('TaskCompleted', assignment).length > 0);
      expect((await nodes()).map(({ id }) => id)).toEqual([nodeId]);
    },
    60_000,
  );

  test('is cut off when its operator revokes it, and is the same node again with another key', async () => {
    const revocation = await fetch(`${platform.gatewayUrl}/v1/nodes/${nodeId}/revoke`, {
      method: 'POST',
      headers: { ...authorized(keys.operator), 'content-type': 'application/json' },
      body: JSON.stringify({ reason: 'stolen' }),
    });
    expect(revocation.status).toBe(200);
    // It goes on saying that it is alive for as long as it is let.
    const lastHeartbeat = async () => (await bus.jsm.streams.info('TELEMETRY')).state.last_seq;
    for (let last = -1; last !== (await lastHeartbeat()); await sleep(4 * AGENT.heartbeatMs))
      last = await lastHeartbeat();
    expect((await nodes()).map(({ status }) => status)).toEqual(['offline']);
    const signal = AbortSignal.timeout(30_000);
    await recoverKey({ ...changeOf(), operatorKey: keys.operator, signal });
    while ((await nodes())[0]?.status !== 'online') await sleep(50);
    expect((await nodes()).map(({ id }) => id)).toEqual([nodeId]);
  }, 90_000);

  describe('with a program that keeps its state', () => {
    /** As the pool does with what it is told. */
    const kept = (assignment: Assignment): readonly string[] =>
      ofType('TaskCheckpointed', assignment).flatMap(({ type, data }) =>
        type === 'TaskCheckpointed' ? [data.checkpoint.cid] : [],
      );
    const continuing = (assignment: Assignment): Assignment => ({
      ...assignment,
      checkpoint: { cid: kept(assignment).at(-1)!, sizeBytes: 8 },
    });
    const stepping = (steps: number): Assignment => ({
      ...assignmentOf(1),
      program: { cid: stepsProgram, timeLimitMs: 60_000, memoryLimitMib: 4, outputLimitBytes: 100 },
      inputs: [],
      args: [String(steps), '50'],
      checkpoints: { everyMs: 1_000, sizeLimitBytes: 100 },
    });
    async function resultOf(assignment: Assignment): Promise<readonly [sum: string, first: number]> {
      const [completed, ...others] = ofType('TaskCompleted', assignment);
      if (completed?.type !== 'TaskCompleted' || others.length > 0) throw new Error('it did not end once');
      const { cid } = completed.data.outputs[0]!;
      const path = `${platform.gatewayUrl}/v1/content/${cid}`;
      const text = await (await fetch(path, { headers: authorized(keys.tenant) })).text();
      const [, sum, first] = /^(\d+) from step (\d+)\n$/.exec(text)!;
      return [sum!, Number(first)];
    }

    test('continues after its own death from the last checkpoint, with the same result', async () => {
      const [whole, struck] = [stepping(40), stepping(40)];
      await want(whole);
      await until(() => ofType('TaskCompleted', whole).length > 0);
      await want(whole, struck);
      await until(() => kept(struck).length > 0);
      assignments = [whole, continuing(struck)];
      platform.kill(AGENT.name);
      await until(() => ofType('TaskCompleted', struck).length > 0);
      const [[sum, first], [sumOfStruck, firstOfStruck]] = [await resultOf(whole), await resultOf(struck)];
      expect([sumOfStruck, first]).toEqual([sum, 0]);
      expect(firstOfStruck).toBeGreaterThan(0);
    }, 90_000);

    test('tells it of a notice, and keeps its last state before the end of it', async () => {
      const [noticed, next] = [stepping(100_000), stepping(1)];
      await want(noticed);
      await until(() => kept(noticed).length > 0);
      const before = kept(noticed).length;
      await want({ ...noticed, deadline: inMs(30_000), stopBy: inMs(30_000) }, next);
      await until(() => ofType('TaskCompleted', next).length > 0);
      expect(kept(noticed).length).toBeGreaterThan(before);
      expect([...ofType('TaskCompleted', noticed), ...ofType('TaskFailed', noticed)]).toEqual([]);
      const elsewhere = {
        ...continuing(noticed),
        ...stepping(1),
        checkpoint: continuing(noticed).checkpoint!,
      };
      await want(elsewhere);
      await until(() => ofType('TaskCompleted', elsewhere).length > 0);
      expect((await resultOf(elsewhere))[1]).toBeGreaterThan(0);
    }, 90_000);

    test('gives it time to keep its state when it is switched off', async () => {
      const running = stepping(100_000);
      await want(running);
      await until(() => kept(running).length > 0);
      const before = kept(running).length;
      await platform.restart(AGENT.name);
      await until(() => kept(running).length > before);
      expect([...ofType('TaskCompleted', running), ...ofType('TaskFailed', running)]).toEqual([]);
      await want();
    }, 90_000);

    test('begins it anew where nobody has what a node said that it had kept', async () => {
      const misled = { ...stepping(1), checkpoint: { cid: cidOf(Uint8Array.of(9, 9, 9)), sizeBytes: 8 } };
      await want(misled);
      await until(() => ofType('TaskCompleted', misled).length > 0);
      expect((await resultOf(misled))[1]).toBe(0);
    }, 60_000);
  });

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

describe('a node that its operator sets up by the command line', () => {
  let stateDir: string;
  let agent: ChildProcess | undefined;
  const configFile = () => join(stateDir, 'node.env');
  const astro = (args: readonly string[], env: Record<string, string> = {}) =>
    astroNode([...args, '--state-dir', stateDir], env);
  const init = () =>
    astro(['init', '--gateway', platform.gatewayUrl, '--region', 'fr-par', '--price', '5000', '--yes'], {
      OPERATOR_KEY: keys.operator,
    });
  const read = async (id: string) => {
    const path = `${platform.gatewayUrl}/v1/nodes/${id}`;
    return (await (await fetch(path, { headers: authorized(keys.tenant) })).json()) as {
      pricePerSecondAtto: string;
      performance?: { milliUnits: number; cores: number };
      drain?: { noticeUntil?: string };
    };
  };
  let ownId: string;

  beforeAll(async () => {
    stateDir = join(await mkdtemp(join(tmpdir(), 'astro-cli-')), 'state');
  });
  afterAll(async () => {
    if (agent?.exitCode === null) {
      agent.kill('SIGKILL');
      await once(agent, 'exit');
    }
    await rm(join(stateDir, '..'), { recursive: true, force: true });
  });

  test('joins with one command, and repeating it changes nothing', async () => {
    const first = await init();
    expect(first).toMatchObject({ exitCode: 0, answer: { isNew: true, isConfigChanged: true } });
    ownId = first.answer.nodeId;
    const node = (await nodes()).find(({ id }) => id === ownId);
    expect(node).toMatchObject({ region: 'fr-par', status: 'offline', inventory: { runtimes: ['wasm'] } });
    for (const file of ['node.env', 'identity.json', 'node.json'])
      expect((await stat(join(stateDir, file))).mode & 0o777).toBe(0o600);
    const again = await init();
    expect(again).toMatchObject({
      exitCode: 0,
      answer: { isNew: false, isConfigChanged: false, nodeId: ownId },
    });
  }, 60_000);

  test('is sound to the doctor, who finds what is broken and says what to do', async () => {
    await appendFile(configFile(), 'MEASURE_EVERY_MS=600000\nINVENTORY_LOOK_MS=100\n');
    const broken = async (env: Record<string, string>) => {
      const findings = await examine(configFile(), env);
      const problems = findings.filter(({ isNeeded, state }) => isNeeded && state === 'problem');
      for (const { advice } of problems) expect(advice).toMatch(/\w/);
      return problems.map(({ id }) => id);
    };
    expect(await astro(['doctor'])).toMatchObject({ exitCode: 0, answer: { isSound: true } });
    const gone = createServer().listen(0, '127.0.0.1');
    await once(gone, 'listening');
    const { port } = gone.address() as AddressInfo;
    await new Promise(resolve => gone.close(resolve));
    expect(await broken({ GATEWAY_URL: `http://127.0.0.1:${port}` })).toEqual(['gateway', 'enrolment']);
    expect(await broken({ OPERATOR_KEY: newApiKey().text })).toEqual(['operator-key']);
    expect(await broken({ OPERATOR_KEY: keys.tenant })).toEqual(['operator-key']);
    const withoutBubblewrap = { RUNTIMES: 'wasm,process', BUBBLEWRAP: join(stateDir, 'bwrap') };
    expect(await broken(withoutBubblewrap)).toEqual(['runtime-process']);
    await chmod(configFile(), 0o644);
    expect(await astro(['doctor'])).toMatchObject({ exitCode: 1, answer: { isSound: false } });
    expect(await broken({})).toEqual(['configuration']);
    await chmod(configFile(), 0o600);
  }, 120_000);

  test('runs with its file, measures itself, and asks another price without a restart', async () => {
    const entry = new URL('../dist/main.js', import.meta.url).pathname;
    const env = { PATH: process.env['PATH'], LOG_LEVEL: 'warn', HTTP_PORT: '0' };
    agent = spawn(process.execPath, [entry, '--config', configFile()], { env, stdio: 'inherit' });
    const changed = await astro(['price', '--on-demand', '7000']);
    expect(changed).toMatchObject({ exitCode: 0, answer: { asked: { onDemand: '7000' } } });
    for (;;) {
      const { pricePerSecondAtto, performance } = await read(ownId);
      if (pricePerSecondAtto === '7000' && performance) {
        expect(performance.milliUnits).toBeGreaterThan(0);
        break;
      }
      await sleep(200);
    }
    const dearer = await astro(['price', '--interruptible', '7001']);
    expect(dearer).toMatchObject({ exitCode: 1, answer: { error: { message: expect.any(String) } } });
  }, 90_000);

  test('is drained, and takes work again', async () => {
    expect((await astro(['drain', '--notice', '600'])).exitCode).toBe(0);
    const { drain } = await read(ownId);
    expect(Date.parse(drain!.noticeUntil!)).toBeGreaterThan(Date.now());
    expect((await astro(['undrain'])).exitCode).toBe(0);
    expect(await read(ownId)).not.toHaveProperty('drain');
  }, 60_000);

  test('gets another key by its own word, and by its operator’s when the key is lost', async () => {
    const rotated = await astro(['rotate-key']);
    expect(rotated).toMatchObject({ exitCode: 0, answer: { nodeId: ownId } });
    await rm(join(stateDir, 'identity.json'));
    expect(await astro(['rotate-key'])).toMatchObject({ exitCode: 5 });
    const recovered = await astro(['recover-key', '--node', ownId]);
    expect(recovered).toMatchObject({ exitCode: 0, answer: { nodeId: ownId } });
    const { publicKey } = recovered.answer;
    expect(publicKey).not.toBe(rotated.answer.publicKey);
    expect(await readIdentity(identityPath(stateDir))).toMatchObject({ publicKey });
  }, 60_000);
});
