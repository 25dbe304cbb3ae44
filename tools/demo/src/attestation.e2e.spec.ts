import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Platform } from '@astro/devstack/platform';
import { idleProgram } from './broken-programs.js';
import { Client, type JobRequest } from './client.js';
import { openHonestMarket } from './market.js';
import { MadeWorld } from '../../../libs/attestation/src/made-question.fixture.js';
import { debugAttributes } from '../../../libs/attestation/src/tdx/made-quote.fixture.js';
import { TsmFolder } from '../../../services/node-agent/src/attestation/tsm-folder.fixture.js';
import { writeExpectations } from '../../../services/registry/src/attestation/made-expectations.fixture.js';

type Node = { readonly id: string; readonly attestationClaimed?: string; readonly attestation?: object };

const region = 'ca-tor';
let stateDir: string;
let platform: Platform;
let client: Client;
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
  client = new Client(platform.gatewayUrl, (await openHonestMarket(platform)).tenantKey);
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

const claimants = async (): Promise<readonly Node[]> => {
  const { items } = await client.json<{ readonly items: readonly Node[] }>('/v1/nodes?limit=100');
  return items.filter(({ attestationClaimed }) => attestationClaimed === 'tdx');
};

test('a job that asks for attestation runs where evidence was verified, and nowhere else', async () => {
  const job = jobOf(await client.putContent(idleProgram));
  const plan = () => client.plan(job);
  await until(
    () => Promise.resolve(refusals),
    count => count > 0,
  );
  const accepted = await until(plan, ({ eligibleNodes }) => eligibleNodes > 0);
  const nodes = await until(claimants, nodes => nodes.some(({ attestation }) => attestation));
  expect(nodes).toHaveLength(2);
  const [vault, ...others] = nodes.filter(({ attestation }) => attestation);
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
