import { X509Certificate } from 'node:crypto';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { reportDataOf } from '../binding.js';
import { derOf, makeHolder, makeKeys, P256, type Holder } from '../made-certificates.fixture.js';
import { MadeWorld, nodeKey, nonce, reportData, written } from '../made-question.fixture.js';
import type { Question } from '../question.js';
import type { Refusal } from '../verdict.js';
import { verifyEvidence } from '../verify-evidence.js';
import type { TdxCollateral } from './collateral.js';
import { debugAttributes, type QuoteWish } from './made-quote.fixture.js';

const now = new Date('2026-06-01T00:00:00Z');
const later = new Date(now.getTime() + 60_000);
const before = new Date(now.getTime() - 60_000);
let world: MadeWorld;

beforeAll(async () => void (world = await MadeWorld.create(now)));

const answer = async (wish: Partial<QuoteWish> = {}, changes: Partial<Question> = {}) =>
  verifyEvidence(written(await world.intel.evidence({ reportData, ...wish })), {
    ...world.question,
    ...changes,
  });
const underCollateral = (...collateral: readonly TdxCollateral[]) =>
  answer({}, { roots: { ...world.question.roots, intel: { root: world.intel.trusted, collateral } } });
const refused = (reason: Refusal, detail = '') => ({
  accepted: false,
  reason,
  detail: expect.stringContaining(detail),
});

test.each([4, 5] as const)('a quote of version %d of what is expected is accepted', async version => {
  expect(await answer({ version })).toEqual({
    accepted: true,
    kind: 'tdx',
    measurement: '7d'.repeat(48),
    firmware: `TEE TCB SVN 050102${'0'.repeat(26)}, UpToDate`,
    hardwareClass: 'Intel TDX 1.0',
    deviceCount: 0,
    boundKey: nodeKey,
    expiresAt: new Date(now.getTime() + 3_600_000),
  });
});

test('what is accepted never outlives the collateral', async () => {
  const issuedAt = new Date(later.getTime() - 30 * 86_400_000);
  expect(await underCollateral(await world.intel.collateral({ issuedAt }))).toMatchObject({
    accepted: true,
    expiresAt: later,
  });
});

describe('one field that is otherwise is refused for its own reason', () => {
  test.each<[string, Partial<QuoteWish>, Refusal, string]>([
    ['nonce', { reportData: reportDataOf(new Uint8Array(32), nodeKey) }, 'nonce', 'another challenge'],
    ['bound key', { reportData: reportDataOf(nonce, `U${'B'.repeat(55)}`) }, 'key', 'another key'],
    ['MRTD', { mrTd: new Uint8Array(48) }, 'measurement', '0000'],
    ['a register', { rtMr3: new Uint8Array(48).fill(1) }, 'measurement', 'registers'],
    ['debug attribute', { attributes: debugAttributes }, 'debug', 'Debug'],
    ['SEPT_VE_DISABLE', { attributes: [0, 0, 0, 0, 0, 0, 0, 0] }, 'signature', 'SEPT_VE_DISABLE'],
    ['the signer of the TDX module', { mrSignerSeam: new Uint8Array(48).fill(1) }, 'firmware', 'module'],
    ['TCB below every level', { teeTcbSvn: [4, 1, 2] }, 'signature', 'No matching TCB level'],
    ['the quoting enclave', { enclaveSigner: new Uint8Array(32) }, 'signature', 'MRSIGNER'],
  ])('%s', async (_field, wish, reason, detail) => {
    expect(await answer(wish)).toEqual(refused(reason, detail));
  });

  test('signature by a key that the quoting enclave does not answer for', async () => {
    const attestationKey = await makeKeys(P256);
    expect(await answer({ attestationKey })).toEqual(refused('signature', 'report signature is invalid'));
  });

  test('any bit of what is signed', async () => {
    const quote = await world.intel.quote({ reportData });
    for (const at of [20, 48, 48 + 136, 48 + 328, 631]) {
      const bent = Buffer.from(quote);
      bent[at]! ^= 1;
      const evidence = written({ kind: 'tdx', quote: bent.toString('base64') });
      expect(await verifyEvidence(evidence, world.question)).toEqual(refused('signature'));
    }
  });

  test('truncated, oversized or of something else', async () => {
    const quote = await world.intel.quote({ reportData });
    const given = (bytes: Buffer) =>
      verifyEvidence(written({ kind: 'tdx', quote: bytes.toString('base64') }), world.question);
    expect(await given(quote.subarray(0, 900))).toEqual(refused('malformed'));
    expect(await given(Buffer.alloc(20_000))).toEqual(refused('oversized', 'quote'));
    const other = Buffer.from(quote);
    other.writeUInt32LE(0, 4); // an enclave of SGX
    expect(await given(other)).toEqual(refused('malformed'));
  });

  test('kind that is not expected', async () => {
    const { tdx: _none, ...rules } = world.question.rules;
    expect(await answer({}, { rules })).toEqual(refused('kind'));
  });
});

describe('each certificate counts', () => {
  const stranger = (name: string, isAuthority = false) =>
    makeHolder({ name, algorithm: P256, now, isAuthority });

  test('the PCK is issued by its authority, and the authority by the root', async () => {
    const issuer = await stranger('Intel SGX PCK Platform CA', true);
    expect(await answer({ pck: await world.intel.endorse({ issuer }) })).toEqual(refused('chain', 'PCK'));
    const root = await stranger('Intel SGX Root CA', true);
    const intel = { ...world.question.roots.intel!, root: new X509Certificate(derOf(root)) };
    expect(await answer({}, { roots: { ...world.question.roots, intel } })).toEqual(refused('chain', 'CA'));
  });
  test('a PCK is no other certificate of Intel, and no authority', async () => {
    const named = await world.intel.endorse({ name: 'Intel SGX TCB Signing' });
    expect(await answer({ pck: named })).toEqual(refused('chain', 'stands where'));
    const authority = await world.intel.endorse({ isAuthority: true });
    expect(await answer({ pck: authority })).toEqual(refused('chain', 'its place'));
  });
  test.each([
    ['has expired', 'expired', { notAfter: before }],
    ['is not valid yet', 'not_yet_valid', { notBefore: later }],
  ] as const)('the PCK %s', async (_case, reason, changes) => {
    expect(await answer({ pck: await world.intel.endorse(changes) })).toEqual(refused(reason));
  });
  test.each<[string, (made: MadeWorld['intel']) => Holder]>([
    ['PCK', made => made.pck],
    ['authority', made => made.authority],
    ['signer of TCBs', made => made.signer],
  ])('the %s was revoked', async (_which, holderOf) => {
    const revoked = [holderOf(world.intel)];
    expect(await underCollateral(await world.intel.collateral({ revoked }))).toEqual(refused('revoked'));
  });
  test('lists of revoked certificates are those of the authority', async () => {
    const listSigner = await stranger('Intel SGX PCK Platform CA', true);
    expect(await underCollateral(await world.intel.collateral({ listSigner }))).toEqual(
      refused('collateral'),
    );
  });
});

describe('the collateral', () => {
  test('is that of the family of processors', async () => {
    expect(await underCollateral()).toEqual(refused('collateral', 'b0c06f000000'));
  });
  test.each([
    ['too old', new Date(now.getTime() - 31 * 86_400_000)],
    ['of the future', later],
  ])('is refused when it is %s', async (_case, issuedAt) => {
    const collateral = await world.intel.collateral({ issuedAt });
    expect(await underCollateral(collateral)).toEqual(refused('collateral', 'of today'));
  });
  test('is signed by Intel, over what it says', async () => {
    const signer = await makeHolder({ name: 'Intel SGX TCB Signing', algorithm: P256, now });
    expect(await underCollateral(await world.intel.collateral({ signer }))).toEqual(refused('chain'));
    const collateral = await world.intel.collateral({ status: 'OutOfDate' });
    const bent = { ...collateral, tcb_info: collateral.tcb_info.replace('OutOfDate', 'UpToDate') };
    expect(await underCollateral(bent)).toEqual(refused('signature', 'tcb_info'));
    const bentIdentity = {
      ...collateral,
      qe_identity: collateral.qe_identity.replace('"isvsvn":6', '"isvsvn":5'),
    };
    expect(await underCollateral(bentIdentity)).toEqual(refused('signature', 'qe_identity'));
  });
  test('says how current the platform is, and the rules what of that is enough', async () => {
    const outOfDate = await world.intel.collateral({ status: 'OutOfDate' });
    expect(await underCollateral(outOfDate)).toEqual(refused('firmware', 'OutOfDate'));
    const revoked = await world.intel.collateral({ status: 'Revoked' });
    expect(await underCollateral(revoked)).toEqual(refused('signature', 'Revoked'));
    const tdx = { ...world.question.rules.tdx!, statuses: ['SWHardeningNeeded' as const] };
    const roots = {
      ...world.question.roots,
      intel: {
        root: world.intel.trusted,
        collateral: [await world.intel.collateral({ status: 'SWHardeningNeeded' })],
      },
    };
    expect(await answer({}, { roots })).toEqual(refused('firmware', 'SWHardeningNeeded'));
    expect(await answer({}, { roots, rules: { ...world.question.rules, tdx } })).toMatchObject({
      accepted: true,
    });
  });
  test('is no older an evaluation than is asked for', async () => {
    const tdx = { ...world.question.rules.tdx!, minimumTcbEvaluation: 18 };
    expect(await answer({}, { rules: { ...world.question.rules, tdx } })).toEqual(
      refused('collateral', '17'),
    );
  });
});
