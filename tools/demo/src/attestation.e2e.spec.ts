import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Platform } from '@astro/devstack/platform';
import { EventStore } from '@astro/jetstream/event-store';
import type { PoolEvent } from '@astro/messages/scheduling';
import { idleProgram } from './broken-programs.js';
import { Client, type JobRequest } from './client.js';
import { openHonestMarket } from './market.js';
import { partsAt, putLargeFile, startSlowGiver, withoutGateway } from './peers.fixture.js';
import { astroData, backwardsProgram, filesWith } from './sealed-job.fixture.js';
import { MadeWorld } from '../../../libs/attestation/src/made-question.fixture.js';
import { debugAttributes } from '../../../libs/attestation/src/tdx/made-quote.fixture.js';
import { TsmFolder } from '../../../services/node-agent/src/attestation/tsm-folder.fixture.js';
import { writeExpectations } from '../../../services/registry/src/attestation/made-expectations.fixture.js';

type Node = {
  readonly id: string;
  readonly region: string;
  readonly attestationClaimed?: string;
  readonly attestation?: object;
};

const region = 'ca-tor';
let stateDir: string;
let platform: Platform;
let client: Client;
let tenantKey: string;
const machines: TsmFolder[] = [];
let refusals = 0;

/** Two confidential machines of one maker, whose root the platform trusts: into one of them its owner can look. */
beforeAll(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'astro-attestation-'));
  const world = await MadeWorld.create(new Date());
  const expected = join(stateDir, 'expected');
  await writeExpectations(expected, world);
  const state = join(stateDir, 'platform');
  platform = await Platform.start({
    stateDir: state,
    env: { registry: { ATTESTATION_DIR: expected } },
    log: (source, line) =>
      void (refusals += Number(source === 'registry' && line.includes('evidence: debug'))),
  });
  ({ tenantKey } = await openHonestMarket(platform));
  client = new Client(platform.gatewayUrl, tenantKey);
  const { apiKey: operatorKey } = await platform.administration().registerOperator('Vault Ltd');
  const reports = join(stateDir, 'tsm');
  for (const [name, changes] of [
    ['vault', {}],
    ['window', { attributes: debugAttributes }],
  ] as const) {
    const sign = async (reportData: Uint8Array) =>
      new Uint8Array(await world.intel.quote({ reportData, ...changes }));
    machines.push(TsmFolder.open(reports, `astro-${name}`, { provider: 'tdx_guest', sign }));
    const node = { name, region, pricePerSecondAtto: 10n ** 14n, cpuMillis: 1_000, memoryMib: 512 };
    const settings = { ATTESTATION_REPORTS: reports };
    await platform.startAgent({ ...node, operatorKey, attestation: 'tdx', settings });
  }
}, 180_000);

afterAll(async () => {
  await platform?.stop();
  for (const machine of machines) await machine.close();
  await rm(stateDir, { recursive: true, force: true });
}, 60_000);

const jobOf = (cid: string): JobRequest => ({
  name: 'a secret',
  program: { cid, timeLimitMs: 5_000, memoryLimitMib: 4, outputLimitBytes: 1_024 },
  requirements: {
    deviceKind: 'cpu',
    cpuMillis: 500,
    memoryMib: 64,
    maxPricePerSecondAtto: String(10n ** 16n),
    regions: [region],
    attestations: ['sev_snp', 'tdx'],
  },
  quorum: 1,
  tasks: [{ inputs: [] }],
});

/** The test's own time limit ends a vain wait. */
async function until<T>(ask: () => Promise<T>, isEnough: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (isEnough(answer)) return answer;
    await sleep(50);
  }
}

const nodes = async () =>
  (await client.json<{ readonly items: readonly Node[] }>('/v1/nodes?limit=100')).items;
const claimants = async (): Promise<readonly Node[]> => {
  return (await nodes()).filter(({ attestationClaimed }) => attestationClaimed === 'tdx');
};

test('a job that asks for attestation runs where evidence was verified, and nowhere else', async () => {
  const job = jobOf(await client.putContent(idleProgram));
  const plan = () => client.plan(job);
  await until(
    () => Promise.resolve(refusals),
    count => count > 0,
  );
  const accepted = await until(plan, ({ eligibleNodes }) => eligibleNodes > 0);
  const proving = await until(claimants, found => found.some(({ attestation }) => attestation));
  expect(proving).toHaveLength(2);
  const [vault, ...others] = proving.filter(({ attestation }) => attestation);
  expect(others).toEqual([]);
  expect(accepted).toMatchObject({ eligibleNodes: 1, placements: [{ nodeId: vault!.id }] });
  expect(vault!.attestation).toMatchObject({
    kind: 'tdx',
    findings: { measurement: '7d'.repeat(48), hardwareClass: 'Intel TDX 1.0' },
  });
  const { id } = await client.submit(job, 'secret');
  for await (const event of client.events(id)) void event;
  expect(await client.ended(id)).toMatchObject({ status: 'succeeded' });

  // Evidence is not of today once somebody knows better: it ends, and the node has to prove itself again.
  await platform.administration().revokeAttestation(vault!.id, 'the key has leaked');
  expect(await until(plan, ({ eligibleNodes }) => eligibleNodes === 0)).toMatchObject({ placements: [] });
}, 240_000);

test('an encrypted job is read by the nodes that its client names, and by nobody who carries it', async () => {
  const folder = join(stateDir, 'client');
  await mkdir(folder);
  const file = (name: string) => join(folder, name);
  const secret = randomBytes(32).toString('hex');
  const answer = [...secret].reverse().join('');
  const program = await backwardsProgram();
  await writeFile(file('secret'), secret);
  await writeFile(file('program'), program);

  const env = { ASTRO_KEY: tenantKey, ASTRO_GATEWAY: platform.gatewayUrl };
  await astroData(['key', file('job.key')]);
  const { recipient } = await astroData<{ recipient: string }>(['key', file('reader.key')]);
  const encrypted = async (name: string) => {
    await astroData(['encrypt', file(name), file(`${name}.age`), '--key', file('job.key')]);
    const bytes = new Uint8Array(await readFile(file(`${name}.age`)));
    return { bytes, named: { cid: await client.putContent(bytes), isEncrypted: true } };
  };
  const [input, code] = [await encrypted('secret'), await encrypted('program')];
  const chosen = (await nodes()).filter(node => ['eu-north', 'me-central'].includes(node.region));
  const sealed = await astroData<{ requirements: { nodes: string[] }; encryption: object }>(
    [
      'seal',
      '--key',
      file('job.key'),
      '--output-to',
      recipient,
      ...chosen.flatMap(({ id }) => ['--node', id]),
    ],
    env,
  );
  const plain = jobOf('');
  const { regions: _regions, attestations: _attestations, ...anywhere } = plain.requirements;
  const { id } = await client.submit(
    {
      ...plain,
      program: { ...plain.program, ...code.named },
      requirements: { ...anywhere, ...sealed.requirements },
      encryption: sealed.encryption,
      quorum: 2,
      tasks: [{ inputs: [{ name: 'secret', ...input.named }] }],
    },
    'sealed',
  );
  for await (const event of client.events(id)) void event;
  expect(await client.ended(id)).toMatchObject({ status: 'succeeded' });

  const keys = ['--key', file('job.key'), '--output-key', file('reader.key')];
  const told = await astroData<{ results: object[] }>(['results', id, file('results'), ...keys], env);
  expect(told.results).toMatchObject([{ files: ['answer'], isAsAgreed: true }]);
  const [task] = (await client.ended(id)).tasks;
  expect(await readFile(join(file('results'), task!.id, 'answer'), 'utf8')).toBe(answer);

  // Streams, tables, content, and what agents keep: everything that the platform has on a disk.
  const state = join(stateDir, 'platform');
  expect((await filesWith(state, input.bytes)).length).toBeGreaterThan(0);
  for (const clear of [Buffer.from(secret), Buffer.from(answer), program.subarray(-200)])
    expect(await filesWith(state, clear)).toEqual([]);
}, 120_000);

test('a node gets what another holds without the gateway, and from that once the other has died', async () => {
  const state = join(stateDir, 'platform');
  const program = await client.putContent(idleProgram);
  const file = await putLargeFile(client);
  const places = { north: 'is-rey', south: 'cl-pun', west: 'us-hnl' } as const;
  await Promise.all(Object.entries(places).map(([name, place]) => startSlowGiver(platform, name, place)));
  const run = async (place: string) => {
    const plain = jobOf(program);
    const { attestations: _attestations, ...requirements } = plain.requirements;
    const inputs = [{ name: 'large', cid: file.root }];
    const job = { ...plain, requirements: { ...requirements, regions: [place] }, tasks: [{ inputs }] };
    const { id } = await client.submit(job, place);
    for await (const event of client.events(id)) void event;
    return client.ended(id);
  };

  expect(await run(places.north)).toMatchObject({ status: 'succeeded' });
  const bus = await platform.connectBus('spec');
  const poolEvents = () => new EventStore(bus).load({ type: 'scheduling.pool', id: 'main' });
  await until(poolEvents, events =>
    events.some(({ event }) => {
      const { type, data } = event as PoolEvent;
      return type === 'HoldingsNoted' && data.held.includes(file.root);
    }),
  );
  const putBack = await withoutGateway(state, file);
  expect(await run(places.south)).toMatchObject({ status: 'succeeded' });
  await putBack();

  const running = run(places.west);
  await until(
    () => partsAt(state, 'west', file),
    count => count > 0,
  );
  await Promise.all(['north', 'south'].map(name => platform.killAgent(name)));
  expect(await running).toMatchObject({ status: 'succeeded' });
  expect(await partsAt(state, 'west', file)).toBe(file.leaves.length);
}, 120_000);
