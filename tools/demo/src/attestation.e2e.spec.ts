import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Platform } from '@astro/devstack/platform';
import { idleProgram } from './broken-programs.js';
import { Client, type JobRequest, type Plan } from './client.js';
import { openHonestMarket } from './market.js';

type Node = { readonly id: string; readonly attestationClaimed?: string; readonly attestation?: object };

const region = 'ca-tor';
const evidenceDigest = 'e'.repeat(64);
let stateDir: string;
let platform: Platform;
let client: Client;

beforeAll(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'astro-attestation-'));
  platform = await Platform.start({ stateDir });
  client = new Client(platform.gatewayUrl, (await openHonestMarket(platform)).tenantKey);
  const { apiKey } = await platform.administration().registerOperator('Vault Ltd');
  const node = { name: 'vault', region, pricePerSecondAtto: 10n ** 14n, cpuMillis: 1_000, memoryMib: 512 };
  await platform.startAgent({ ...node, operatorKey: apiKey, attestation: 'tdx' });
}, 180_000);

afterAll(async () => {
  await platform?.stop();
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

const claimant = async (): Promise<Node> => {
  const { items } = await client.json<{ readonly items: readonly Node[] }>('/v1/nodes?limit=100');
  return items.find(({ attestationClaimed }) => attestationClaimed === 'tdx')!;
};

test('a job that asks for attestation runs where evidence was accepted, and nowhere before or after', async () => {
  const job = jobOf(await client.putContent(idleProgram));
  const plan = () => client.plan(job);
  const isKnown = ({ excluded }: Plan) => excluded['attestation'] !== undefined;
  const claimed = await until(plan, isKnown);
  expect(claimed).toMatchObject({ eligibleNodes: 0, placements: [] });
  const node = await claimant();
  expect(node.attestation).toBeUndefined();

  const acceptedAt = new Date();
  const expiresAt = new Date(acceptedAt.getTime() + 3_600_000);
  const attestation = { kind: 'tdx', evidenceDigest, acceptedAt, expiresAt } as const;
  await platform.administration().attest(node.id, attestation);
  const accepted = await until(plan, ({ eligibleNodes }) => eligibleNodes === 1);
  expect(accepted.placements).toMatchObject([{ nodeId: node.id }]);
  expect((await until(claimant, ({ attestation }) => attestation !== undefined)).attestation).toEqual({
    kind: 'tdx',
    evidenceDigest,
    acceptedAt: acceptedAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
  });
  const { id } = await client.submit(job, 'secret');
  for await (const event of client.events(id)) void event;
  expect(await client.ended(id)).toMatchObject({ status: 'succeeded' });

  await platform.administration().revokeAttestation(node.id, 'the key has leaked');
  expect(await until(plan, ({ eligibleNodes }) => eligibleNodes === 0)).toMatchObject({ placements: [] });
}, 240_000);
