import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNats, type NatsServer } from '@astro/devstack/nats/server';
import { newId } from '@astro/event-sourcing/ids';
import { AggregateStore } from '@astro/jetstream/aggregate-store';
import { Bus } from '@astro/jetstream/bus';
import { EventStore } from '@astro/jetstream/event-store';
import { ensureStreams } from '@astro/jetstream/streams';
import type { AttestationKind, NodeCommand, PresentEvidence } from '@astro/messages/registry';
import { plainDevice, plainInventory, plainOffer } from '@astro/messages/unconstrained';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { deviceNonceOf, reportDataOf } from '../../../../libs/attestation/src/binding.js';
import type { EvidenceDocument } from '../../../../libs/attestation/src/evidence.js';
import { MadeWorld, written } from '../../../../libs/attestation/src/made-question.fixture.js';
import { rulesDigest } from '../../../../libs/attestation/src/rules.js';
import { debugPolicy } from '../../../../libs/attestation/src/sev-snp/made-report.fixture.js';
import { node } from '../node/node.fixture.js';
import { EvidenceQuestions } from './evidence-questions.loop.js';
import { writeExpectations } from './made-expectations.fixture.js';

const publicKey = `U${'A'.repeat(55)}`;
const metadata = { correlationId: 'spec', causationId: 'spec', actor: 'service:spec' };
let dir: string;
let server: NatsServer;
let bus: Bus;
let nodes: AggregateStore<unknown, NodeCommand, never>;
let world: MadeWorld;
let questions: EvidenceQuestions;

beforeAll(async () => {
  Logger.overrideLogger(false);
  dir = await mkdtemp(join(tmpdir(), 'astro-evidence-'));
  server = await startNats({ dir: join(dir, 'nats') });
  bus = await Bus.connect({ servers: server.url, name: 'evidence-spec' });
  await ensureStreams(bus);
  nodes = new AggregateStore(new EventStore(bus), 'registry.node', node) as unknown as typeof nodes;
  world = await MadeWorld.create(new Date());
  await writeExpectations(join(dir, 'expected'), world);
  questions = questionsOf(join(dir, 'expected'));
}, 60_000);

afterAll(async () => {
  await bus?.close();
  await server?.stop();
  await rm(dir, { recursive: true, force: true });
});

const questionsOf = (folder: string | undefined) => new EvidenceQuestions(folder, nodes);

const command = (nodeId: string, asked: NodeCommand) =>
  nodes.execute(nodeId, asked, { commandId: newId('cmd'), metadata });

async function enrol(attestationClaimed: AttestationKind): Promise<string> {
  const nodeId = newId('node');
  const cpu = { kind: 'cpu', vendor: 'AMD', model: 'EPYC', memoryMib: 64, ...plainDevice } as const;
  const gpu = { kind: 'gpu', vendor: 'NVIDIA', model: 'H100', memoryMib: 64, ...plainDevice } as const;
  const inventory = {
    ...plainInventory,
    devices: [cpu, gpu, gpu],
    cpuMillis: 1_000,
    memoryMib: 64,
    diskMib: 0,
    operatingSystem: 'linux',
    architecture: 'x64',
    runtimes: ['wasm'],
  };
  const offer = {
    ...plainOffer,
    nodeId,
    operatorId: 'operator_1',
    region: 'de-fra',
    inventory,
    pricePerSecondAtto: 1n,
    attestationClaimed,
  };
  const outcome = await command(nodeId, { type: 'EnrolNode', data: { offer, publicKey } });
  expect(outcome).toMatchObject({ accepted: true });
  return nodeId;
}

let count = 0;

async function challenge(nodeId: string, issuedAt = new Date()): Promise<string> {
  const nonce = (++count).toString(16).padStart(64, '0');
  const expiresAt = new Date(issuedAt.getTime() + 300_000);
  await command(nodeId, { type: 'ChallengeNode', data: { nodeId, nonce, issuedAt, expiresAt } });
  return nonce;
}

const present = (nodeId: string, nonce: string, evidence: Uint8Array, to = questions) => {
  const data: PresentEvidence = { nodeId, nonce, evidence };
  return to.execute(nodeId, { type: 'PresentEvidence', data }, { commandId: newId('cmd'), metadata });
};
const dataOf = (nonce: string) => reportDataOf(Buffer.from(nonce, 'hex'), publicKey);
const eventsOf = async (nodeId: string) =>
  (await new EventStore(bus).load({ type: 'registry.node', id: nodeId })).map(({ event }) => event.type);

test.each<[AttestationKind, (nonce: string) => Promise<EvidenceDocument>]>([
  ['sev_snp', nonce => world.amd.evidence({ reportData: dataOf(nonce) })],
  ['tdx', nonce => world.intel.evidence({ reportData: dataOf(nonce) })],
  [
    'nvidia_cc',
    async nonce => ({
      kind: 'nvidia_cc',
      machine: await world.intel.evidence({ reportData: dataOf(nonce) }),
      ...(await world.nvidia.tokens({ nonce: deviceNonceOf(Buffer.from(nonce, 'hex'), publicKey) })),
    }),
  ],
])('evidence of %s is verified in a thread and recorded, once', async (kind, evidenceOf) => {
  const nodeId = await enrol(kind);
  const nonce = await challenge(nodeId);
  const evidence = written(await evidenceOf(nonce));
  const outcome = await present(nodeId, nonce, evidence);
  expect(outcome).toMatchObject({ accepted: true, changed: true });
  expect(JSON.parse(outcome.answer!)).toMatchObject({
    kind,
    findings: { rulesDigest: rulesDigest(world.question.rules) },
  });
  expect(await present(nodeId, nonce, evidence)).toMatchObject({ rejection: 'ChallengeIsUnknown' });
  expect(await eventsOf(nodeId)).toEqual(['NodeEnrolled', 'NodeChallenged', 'NodeAttested']);
});

test('evidence that is refused changes nothing, and the reason is told', async () => {
  const nodeId = await enrol('sev_snp');
  const nonce = await challenge(nodeId);
  const evidence = written(await world.amd.evidence({ reportData: dataOf(nonce), policy: debugPolicy }));
  expect(await present(nodeId, nonce, evidence)).toMatchObject({
    accepted: false,
    rejection: 'EvidenceIsRefused',
    detail: expect.stringMatching(/^evidence: debug: /),
  });
  expect(await eventsOf(nodeId)).toEqual(['NodeEnrolled', 'NodeChallenged']);
});

test('evidence of another node, another kind or another time is refused', async () => {
  const [nodeId, other] = [await enrol('sev_snp'), await enrol('sev_snp')];
  const nonce = await challenge(other);
  const stolen = written(await world.amd.evidence({ reportData: dataOf(nonce) }));
  const own = await challenge(nodeId);
  expect(await present(nodeId, own, stolen)).toMatchObject({
    detail: expect.stringMatching(/^evidence: nonce/),
  });
  expect(await present(nodeId, nonce, stolen)).toMatchObject({ rejection: 'ChallengeIsUnknown' });
  const tdx = written(await world.intel.evidence({ reportData: dataOf(own) }));
  expect(await present(nodeId, own, tdx)).toMatchObject({ rejection: 'AttestationIsNotClaimed' });
  const late = await enrol('sev_snp');
  const stale = await challenge(late, new Date(Date.now() - 301_000));
  const evidence = written(await world.amd.evidence({ reportData: dataOf(stale) }));
  expect(await present(late, stale, evidence)).toMatchObject({ rejection: 'ChallengeHasExpired' });
  expect(await present(newId('node'), own, tdx)).toMatchObject({ rejection: 'NodeNotEnrolled' });
});

test('one document of a node is verified at a time', async () => {
  const nodeId = await enrol('sev_snp');
  const nonce = await challenge(nodeId);
  const evidence = written(await world.amd.evidence({ reportData: dataOf(nonce) }));
  const outcomes = await Promise.all([1, 2, 3].map(() => present(nodeId, nonce, evidence)));
  expect(outcomes.map(({ rejection }) => rejection)).toEqual([
    '',
    'EvidenceIsUndecided',
    'EvidenceIsUndecided',
  ]);
});

test('a platform that expects nothing accepts nothing, and one whose folder is wrong decides nothing', async () => {
  const nodeId = await enrol('sev_snp');
  const nonce = await challenge(nodeId);
  const evidence = written(await world.amd.evidence({ reportData: dataOf(nonce) }));
  expect(await present(nodeId, nonce, evidence, questionsOf(undefined))).toMatchObject({
    rejection: 'EvidenceIsNotExpected',
  });
  const folder = join(dir, 'wrong');
  await writeExpectations(folder, world);
  await writeFile(join(folder, 'rules.json'), '{"sevSnp":{"measurements":[]}}');
  const undecided = questionsOf(folder);
  expect(await present(nodeId, nonce, evidence, undecided)).toMatchObject({
    rejection: 'EvidenceIsUndecided',
    detail: expect.stringContaining('rules.json: sevSnp.measurements'),
  });
  await writeExpectations(folder, world);
  await rm(join(folder, 'amd/Milan.crl'));
  expect(await present(nodeId, nonce, evidence, undecided)).toMatchObject({
    detail: expect.stringMatching(/^evidence: chain/),
  });
  await writeExpectations(folder, world);
  expect(await present(nodeId, nonce, evidence, undecided)).toMatchObject({ accepted: true });
});
