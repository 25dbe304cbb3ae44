import { beforeAll, describe, expect, test } from '@jest/globals';
import { reportDataOf } from '../binding.js';
import { makeHolder, makeList, P384, RSA } from '../made-certificates.fixture.js';
import { MadeWorld, nodeKey, nonce, reportData, written } from '../made-question.fixture.js';
import type { Question } from '../question.js';
import type { Refusal } from '../verdict.js';
import { verifyEvidence } from '../verify-evidence.js';
import { chipExtensions, debugPolicy, migrationPolicy, type ReportWish } from './made-report.fixture.js';

const now = new Date('2026-06-01T00:00:00Z');
const later = new Date(now.getTime() + 60_000);
const before = new Date(now.getTime() - 60_000);
let world: MadeWorld;

beforeAll(async () => void (world = await MadeWorld.create(now)));

const answer = async (wish: Partial<ReportWish> = {}, changes: Partial<Question> = {}) =>
  verifyEvidence(written(await world.amd.evidence({ reportData, ...wish })), {
    ...world.question,
    ...changes,
  });
const refused = (reason: Refusal, detail = '') => ({
  accepted: false,
  reason,
  detail: expect.stringContaining(detail),
});

test('a report of what is expected, bound to the node, is accepted for as long as the rules say', async () => {
  expect(await answer()).toEqual({
    accepted: true,
    kind: 'sev_snp',
    measurement: 'a5'.repeat(48),
    firmware: 'fmc 0, bootloader 3, tee 0, snp 8, microcode 115',
    hardwareClass: 'AMD SEV-SNP Milan',
    deviceCount: 0,
    boundKey: nodeKey,
    expiresAt: new Date(now.getTime() + 3_600_000),
  });
});

test('what is accepted never outlives what it rests on', async () => {
  const vcek = await world.amd.endorse({ notAfter: later });
  const evidence = await world.amd.evidence({ reportData }, [vcek, world.amd.ask]);
  expect(await verifyEvidence(written(evidence), world.question)).toMatchObject({
    accepted: true,
    expiresAt: later,
  });
});

describe('one field that is otherwise is refused for its own reason', () => {
  const otherNonce = new Uint8Array(32);
  const otherKey = `U${'B'.repeat(55)}`;
  test.each<[string, Partial<ReportWish>, Refusal, string]>([
    ['nonce', { reportData: reportDataOf(otherNonce, nodeKey) }, 'nonce', 'another challenge'],
    ['bound key', { reportData: reportDataOf(nonce, otherKey) }, 'key', 'another key'],
    ['measurement', { measurement: new Uint8Array(48) }, 'measurement', '000000'],
    ['debug policy', { policy: debugPolicy }, 'debug', 'debugged'],
    ['migration policy', { policy: migrationPolicy }, 'policy', 'agent'],
    ['privilege level', { vmpl: 1 }, 'policy', 'level 1'],
    ['chip', { chipId: new Uint8Array(64) }, 'chip', 'another chip'],
    ['reported TCB', { tcb: [3, 0, 0, 0, 0, 0, 9, 115] }, 'chip', 'snp 9'],
    ['kind of signing key', { flags: 1 << 2 }, 'chip', 'vlek'],
    ['version', { version: 1 }, 'malformed', 'version 1'],
  ])('%s', async (_field, wish, reason, detail) => {
    expect(await answer(wish)).toEqual(refused(reason, detail));
  });

  test('firmware below the minimum, though the chip answers for it', async () => {
    const vcek = await world.amd.endorse({ extensions: chipExtensions({ snp: 7 }) });
    const wish = { reportData, tcb: [3, 0, 0, 0, 0, 0, 7, 115] };
    const evidence = await world.amd.evidence(wish, [vcek, world.amd.ask]);
    expect(await verifyEvidence(written(evidence), world.question)).toEqual(refused('firmware', 'snp is 7'));
  });

  test('product', async () => {
    const vcek = await world.amd.endorse({ extensions: chipExtensions({ productName: 'Genoa-B1' }) });
    const evidence = await world.amd.evidence({ reportData }, [vcek, world.amd.ask]);
    expect(await verifyEvidence(written(evidence), world.question)).toEqual(refused('chip', 'Genoa'));
  });

  test('any bit of what is signed', async () => {
    const report = await world.amd.report({ reportData });
    for (const at of [0x04, 0x10, 0xc0, 0xe0, 0x29f]) {
      const bent = Buffer.from(report);
      bent[at]! ^= 1;
      const evidence = { ...(await world.amd.evidence({ reportData })), report: bent.toString('base64') };
      expect(await verifyEvidence(written(evidence), world.question)).toEqual(refused('signature'));
    }
  });

  test('signature by another key', async () => {
    const signer = await makeHolder({ name: 'somebody', algorithm: P384, now });
    expect(await answer({ signer })).toEqual(refused('signature'));
  });

  test('truncated or drawn out', async () => {
    const evidence = await world.amd.evidence({ reportData });
    const report = Buffer.from(evidence.report, 'base64');
    for (const bytes of [report.subarray(0, -1), Buffer.concat([report, Buffer.alloc(1)])]) {
      const bent = written({ ...evidence, report: bytes.toString('base64') });
      expect(await verifyEvidence(bent, world.question)).toEqual(refused('malformed', '1184 bytes'));
    }
    const half = written(evidence).subarray(0, 1_000);
    expect(await verifyEvidence(half, world.question)).toEqual(refused('malformed'));
  });

  test('oversized', async () => {
    const evidence = await world.amd.evidence({ reportData });
    const large = written({ ...evidence, certificates: Array<string>(30).fill('A'.repeat(5_000)) });
    expect(await verifyEvidence(large, world.question)).toEqual(refused('oversized', '131072'));
    const many = written({ ...evidence, certificates: Array<string>(5).fill('AAAA') });
    expect(await verifyEvidence(many, world.question)).toEqual(refused('oversized', 'certificates'));
  });

  test('kind that is not expected', async () => {
    const { sevSnp: _none, ...rules } = world.question.rules;
    expect(await answer({}, { rules })).toEqual(refused('kind'));
    const evidence = { ...(await world.amd.evidence({ reportData })), kind: 'tpm' };
    expect(await verifyEvidence(Buffer.from(JSON.stringify(evidence)), world.question)).toEqual(
      refused('malformed', 'kind'),
    );
  });

  test('hardware that is not expected', async () => {
    const sevSnp = { ...world.question.rules.sevSnp!, minimumTcb: {} };
    const rules = { ...world.question.rules, sevSnp };
    expect(await answer({}, { rules })).toEqual(refused('hardware', 'Milan'));
  });
});

describe('each certificate counts', () => {
  const withChain = async (certificates: Parameters<typeof world.amd.evidence>[1], at = now) =>
    verifyEvidence(written(await world.amd.evidence({ reportData }, certificates)), {
      ...world.question,
      now: at,
    });

  test('the key of a chip is issued by the ASK', async () => {
    const stranger = await makeHolder({ name: 'SEV-Milan', algorithm: RSA, now, isAuthority: true });
    const vcek = await world.amd.endorse({ issuer: stranger });
    expect(await withChain([vcek, world.amd.ask])).toEqual(refused('chain', 'SEV-VCEK was not issued'));
  });
  test('the ASK is issued by a root that is trusted', async () => {
    const stranger = await makeHolder({ name: 'ARK-Milan', algorithm: RSA, now, isAuthority: true });
    const ask = await makeHolder({
      name: 'SEV-Milan',
      algorithm: RSA,
      now,
      isAuthority: true,
      issuer: stranger,
    });
    const vcek = await world.amd.endorse({ issuer: ask });
    expect(await withChain([vcek, ask])).toEqual(refused('chain', 'SEV-Milan was not issued by ARK-Milan'));
    expect(await withChain([world.amd.vcek])).toEqual(refused('chain', 'missing'));
  });
  test('only an authority issues', async () => {
    const ask = await makeHolder({ name: 'SEV-Milan', algorithm: RSA, now, issuer: world.amd.ark });
    const vcek = await world.amd.endorse({ issuer: ask });
    expect(await withChain([vcek, ask])).toEqual(refused('chain', 'its place'));
  });
  test('an authority signs no reports', async () => {
    const vcek = await world.amd.endorse({ isAuthority: true });
    expect(await withChain([vcek, world.amd.ask])).toEqual(refused('chain', 'its place'));
  });
  test.each([
    ['has expired', 'expired', { notAfter: before }],
    ['is not valid yet', 'not_yet_valid', { notBefore: later }],
  ] as const)('the key of the chip %s', async (_case, reason, changes) => {
    expect(await withChain([await world.amd.endorse(changes), world.amd.ask])).toEqual(refused(reason));
  });
  test.each([
    ['has expired', 'expired', { notAfter: before }],
    ['is not valid yet', 'not_yet_valid', { notBefore: later }],
  ] as const)('the ASK %s', async (_case, reason, changes) => {
    const { ark } = world.amd;
    const wish = { name: 'SEV-Milan', algorithm: RSA, now, isAuthority: true, issuer: ark } as const;
    const ask = await makeHolder({ ...wish, ...changes });
    const vcek = await world.amd.endorse({ issuer: ask });
    expect(await withChain([vcek, ask])).toEqual(refused(reason));
  });
  test('the ASK was revoked', async () => {
    const crl = await makeList(world.amd.ark, now, { revoked: [world.amd.ask] });
    const roots = { ...world.question.roots, amd: [{ ...world.amd.root, crl }] };
    expect(await answer({}, { roots })).toEqual(refused('revoked', 'SEV-Milan'));
  });
  test('a list of revoked certificates that is stale, forged or unreadable is none', async () => {
    const { ark, root } = world.amd;
    const name = 'ARK-Milan';
    const [otherKey, otherKind] = [
      await makeHolder({ name, algorithm: RSA, now, isAuthority: true }),
      await makeHolder({ name, algorithm: P384, now, isAuthority: true }),
    ];
    const lists = [
      await makeList(ark, now, { nextUpdate: before }),
      await makeList(otherKey, now),
      await makeList(otherKind, now),
      Uint8Array.of(1, 2, 3),
    ];
    for (const crl of lists) {
      const roots = { ...world.question.roots, amd: [{ ...root, crl }] };
      expect(await answer({}, { roots })).toEqual(refused('collateral'));
    }
  });
});
