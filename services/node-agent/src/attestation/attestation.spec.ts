import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { EvidenceDocument } from '../../../../libs/attestation/src/evidence.js';
import { derOf, pemOf } from '../../../../libs/attestation/src/made-certificates.fixture.js';
import {
  MadeWorld,
  nodeKey,
  reportData,
  written,
} from '../../../../libs/attestation/src/made-question.fixture.js';
import { verifyEvidence } from '../../../../libs/attestation/src/verify-evidence.js';
import { GatewayClient } from '../gateway/gateway-client.js';
import { Attesting } from './attesting.js';
import { certificatesIn } from './certificate-table.js';
import { machineEvidence, type MachineOptions } from './machine-evidence.js';
import { ASK_GUID, certificateTable, TsmFolder, VCEK_GUID } from './tsm-folder.fixture.js';

const now = new Date();
let world: MadeWorld;
let dir: string;
let count = 0;
const opened: TsmFolder[] = [];

beforeAll(async () => {
  world = await MadeWorld.create(now);
  dir = await mkdtemp(join(tmpdir(), 'astro-tsm-'));
});
afterEach(async () => {
  for (const folder of opened.splice(0)) await folder.close();
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const table = () =>
  certificateTable({ [ASK_GUID]: derOf(world.amd.ask), [VCEK_GUID]: derOf(world.amd.vcek) });
const signSnp = (bytes: Uint8Array): Promise<Uint8Array> => world.amd.report({ reportData: bytes });
const signTdx = (bytes: Uint8Array): Promise<Uint8Array> => world.intel.quote({ reportData: bytes });

function machine(options: Parameters<typeof TsmFolder.open>[2]): Pick<MachineOptions, 'reports' | 'entry'> {
  const entry = `astro-${++count}`;
  opened.push(TsmFolder.open(dir, entry, options));
  return { reports: dir, entry };
}

describe('the evidence of the machine', () => {
  test('of SEV-SNP holds what the processor signed and the certificates that the host hands on', async () => {
    const at = machine({ provider: 'sev_guest', sign: signSnp, auxiliary: table() });
    const evidence = await machineEvidence({ kind: 'sev_snp', ...at }).collect(reportData);
    expect(await verifyEvidence(written(evidence), world.question)).toMatchObject({ accepted: true });
  });

  test('of SEV-SNP takes the certificates from a file where the host hands on none', async () => {
    const at = machine({ provider: 'sev_guest', sign: signSnp });
    const certificates = join(dir, 'certificates.pem');
    await writeFile(certificates, pemOf(world.amd.vcek, world.amd.ask));
    const source = machineEvidence({ kind: 'sev_snp', ...at, certificates });
    const evidence = await source.collect(reportData);
    expect(await verifyEvidence(written(evidence), world.question)).toMatchObject({ accepted: true });
    await expect(machineEvidence({ kind: 'sev_snp', ...at }).collect(reportData)).rejects.toThrow(
      'ATTESTATION_CERTIFICATES names no file',
    );
  });

  test('of TDX holds the quote, as often as it is asked for', async () => {
    const at = machine({ provider: 'tdx_guest', sign: signTdx });
    const source = machineEvidence({ kind: 'tdx', ...at });
    for (let round = 0; round < 2; round++) {
      const evidence = await source.collect(reportData);
      expect(await verifyEvidence(written(evidence), world.question)).toMatchObject({ accepted: true });
    }
  });

  test('is not that of somebody who wrote at the same time', async () => {
    const at = machine({ provider: 'tdx_guest', sign: signTdx, interlopers: 1 });
    await expect(machineEvidence({ kind: 'tdx', ...at }).collect(reportData)).rejects.toThrow(
      'written to by somebody else',
    );
  });

  test('is of the kind that was claimed, on a machine that has any', async () => {
    const at = machine({ provider: 'tdx_guest', sign: signTdx });
    await expect(machineEvidence({ kind: 'sev_snp', ...at }).collect(reportData)).rejects.toThrow(
      'this machine is tdx_guest, and ATTESTATION says sev_snp',
    );
    const reports = join(dir, 'nowhere');
    await expect(
      machineEvidence({ kind: 'tdx', reports, entry: 'astro' }).collect(reportData),
    ).rejects.toThrow('takes no entry: is this a confidential machine?');
  });
});

describe('the table of certificates', () => {
  test('is read in the order that verifiers want', () => {
    expect(certificatesIn(table()).map(der => Buffer.from(der))).toEqual(
      [world.amd.vcek, world.amd.ask].map(holder => Buffer.from(derOf(holder))),
    );
  });
  test('that has no end or leads outside of itself is none', () => {
    expect(() => certificatesIn(new Uint8Array(47).fill(1))).toThrow('leads outside');
    expect(() => certificatesIn(new Uint8Array(20))).toThrow('has no end');
    expect(() => certificatesIn(table().subarray(0, -1))).toThrow('leads outside');
    const ownGuid = Buffer.concat(Array<Buffer>(20).fill(Buffer.from(table().subarray(0, 16))));
    expect(() => certificatesIn(new Uint8Array(ownGuid))).toThrow();
  });
});

describe('attesting', () => {
  type Told = { readonly nonce: string; readonly evidence: EvidenceDocument };
  let server: Server;
  let gateway: GatewayClient;
  let told: Told[] = [];
  let refusals = 0;
  let lifeMs = 0;

  beforeAll(async () => {
    server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const answer = (status: number, body: object) =>
          response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
        if (request.url === '/v1/nodes/node_1/attestation-challenges') {
          const nonce = told.length.toString(16).padStart(64, '0');
          return answer(201, { nonce, expiresAt: new Date(Date.now() + 60_000).toISOString() });
        }
        told.push(JSON.parse(Buffer.concat(chunks).toString()) as Told);
        if (refusals-- > 0)
          return answer(422, { code: 'evidence_refused', title: 'refused', detail: 'debug' });
        return answer(201, { expiresAt: new Date(Date.now() + lifeMs).toISOString() });
      });
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    gateway = new GatewayClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  });
  afterAll(() => {
    gateway.close();
    server.close();
  });

  /** Runs until `times` proofs were told. The test's own limit ends a vain wait. */
  async function proofs(times: number, atFirst: (attesting: Attesting) => void = () => {}) {
    told = [];
    const stop = new AbortController();
    const lines: string[] = [];
    const at = machine({ provider: 'sev_guest', sign: signSnp, auxiliary: table() });
    const log = (line: string) => void lines.push(line);
    let isFirst = true;
    const attesting: Attesting = new Attesting({
      gateway,
      source: machineEvidence({ kind: 'sev_snp', ...at }),
      publicKey: () => nodeKey,
      token: () => Promise.resolve('token'),
      log: {
        info(line) {
          log(line);
          if (isFirst) atFirst(attesting);
          isFirst = false;
        },
        ...{ warn: log, error: log },
      },
    });
    const running = attesting.run('node_1', stop.signal);
    while (told.length < times) await new Promise(resolve => setTimeout(resolve, 10));
    stop.abort();
    await running;
    return { told, lines };
  }

  test('is done again before what was accepted expires, each time by a new challenge', async () => {
    [refusals, lifeMs] = [0, 2_000];
    const { told } = await proofs(2);
    for (const [index, { nonce, evidence }] of told.entries()) {
      expect(nonce).toBe(String(index).padStart(64, '0'));
      const question = { ...world.question, nonce: Buffer.from(nonce, 'hex') };
      expect(await verifyEvidence(written(evidence), question)).toMatchObject({ accepted: true });
    }
  });

  test('goes on after a refusal, and says what was refused', async () => {
    [refusals, lifeMs] = [1, 3_600_000];
    const { lines } = await proofs(2);
    expect(lines).toContain('what this machine runs was not proved');
  });

  test('is done at once when the machine is another one', async () => {
    [refusals, lifeMs] = [0, 3_600_000];
    expect((await proofs(2, attesting => attesting.again())).told).toHaveLength(2);
  });
});
