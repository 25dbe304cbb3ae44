import { beforeAll, describe, expect, test } from '@jest/globals';
import type { JWTPayload } from 'jose';
import { deviceNonceOf } from '../binding.js';
import type { EvidenceDocument } from '../evidence.js';
import { deviceNonce, MadeWorld, nodeKey, nonce, reportData, written } from '../made-question.fixture.js';
import type { Question } from '../question.js';
import type { Refusal } from '../verdict.js';
import { verifyEvidence } from '../verify-evidence.js';
import { MadeNvidia, type TokensWish } from './made-tokens.fixture.js';

const now = new Date('2026-06-01T00:00:00Z');
const seconds = now.getTime() / 1_000;
let world: MadeWorld;

beforeAll(async () => void (world = await MadeWorld.create(now)));

const evidenceOf = async (
  wish: Partial<TokensWish> = {},
): Promise<EvidenceDocument & { readonly kind: 'nvidia_cc' }> => ({
  kind: 'nvidia_cc',
  machine: await world.intel.evidence({ reportData }),
  ...(await world.nvidia.tokens({ nonce: deviceNonce, ...wish })),
});
const answer = async (wish: Partial<TokensWish> = {}, changes: Partial<Question> = {}) =>
  verifyEvidence(written(await evidenceOf(wish)), { ...world.question, ...changes });
const refused = (reason: Refusal, detail = '') => ({
  accepted: false,
  reason,
  detail: expect.stringContaining(detail),
});

test('devices in a machine that proved itself are accepted, by the same challenge', async () => {
  expect(await answer()).toEqual({
    accepted: true,
    kind: 'nvidia_cc',
    measurement: '7d'.repeat(48),
    firmware: expect.stringContaining('UpToDate; driver 550.90.07, VBIOS 96.00.9F.00.01'),
    hardwareClass: 'Intel TDX 1.0 with NVIDIA GH100 A01 GSP BROM',
    deviceCount: 2,
    boundKey: nodeKey,
    expiresAt: new Date(now.getTime() + 3_600_000),
  });
});

test('the machine counts as much as its devices', async () => {
  const machine = await world.amd.evidence({ reportData, measurement: new Uint8Array(48) });
  expect(await verifyEvidence(written({ ...(await evidenceOf()), machine }), world.question)).toEqual(
    refused('measurement'),
  );
});

test('what is accepted never outlives the tokens', async () => {
  expect(await answer({ device: { exp: seconds + 60 } })).toMatchObject({
    accepted: true,
    expiresAt: new Date(now.getTime() + 60_000),
  });
});

describe('one claim that is otherwise is refused for its own reason', () => {
  const chain = { 'x-nvidia-cert-status': 'valid', 'x-nvidia-cert-ocsp-status': 'revoked' };
  test.each<[string, JWTPayload, Refusal, string]>([
    ['nonce', { eat_nonce: deviceNonceOf(new Uint8Array(32), nodeKey) }, 'nonce', 'another'],
    ['bound key', { eat_nonce: deviceNonceOf(nonce, 'another key') }, 'nonce', 'another node'],
    ['debugging', { dbgstat: 'enabled' }, 'debug', 'GPU-0'],
    ['secure boot', { secboot: false }, 'policy', 'GPU-0'],
    ['measurements', { measres: 'fail' }, 'measurement', 'GPU-0'],
    [
      'signature of the report',
      { 'x-nvidia-gpu-attestation-report-signature-verified': false },
      'result',
      'signature',
    ],
    ['version of the driver', { 'x-nvidia-gpu-driver-version': '550.54.15' }, 'firmware', '550.54.15'],
    ['version of the VBIOS', { 'x-nvidia-gpu-vbios-version': '96.00.9E.00.09' }, 'firmware', '9E'],
    ['model', { hwmodel: 'GB100 A01' }, 'hardware', 'GB100'],
    [
      'certificates of the device',
      { 'x-nvidia-gpu-attestation-report-cert-chain': chain },
      'revoked',
      'GPU-0',
    ],
    ['certificates of the driver', { 'x-nvidia-gpu-driver-rim-cert-chain': chain }, 'revoked', 'driver'],
    ['id', { ueid: 'the same' }, 'devices', 'twice'],
    ['a claim that is missing', { secboot: undefined }, 'malformed', 'secboot'],
    ['issuer', { iss: 'https://elsewhere.example' }, 'chain', 'iss'],
    ['expiry', { exp: seconds - 60 }, 'expired', 'exp'],
    ['start of validity', { nbf: seconds + 60 }, 'not_yet_valid', 'nbf'],
    ['age', { iat: seconds - 606 }, 'expired', 'iat'],
    ['time of issue in the future', { iat: seconds + 60 }, 'not_yet_valid', 'iat'],
  ])('%s', async (_claim, device, reason, detail) => {
    expect(await answer({ device })).toEqual(refused(reason, detail));
  });

  test('the result over all devices', async () => {
    const overall = { 'x-nvidia-overall-att-result': false };
    expect(await answer({ overall })).toEqual(refused('result'));
    expect(await answer({ overall: { eat_nonce: 'other' } })).toEqual(refused('nonce'));
    expect(await answer({ overall: { exp: seconds - 60 } })).toEqual(refused('expired'));
  });

  test('signature by another key, or none', async () => {
    const other = await MadeNvidia.create(now);
    const tokens = await other.tokens({ nonce: deviceNonce });
    const forged = written({ ...(await evidenceOf()), ...tokens });
    expect(await verifyEvidence(forged, world.question)).toEqual(refused('signature'));
    const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.e30.`;
    const naked = written({ ...(await evidenceOf()), overallToken: unsigned });
    expect(await verifyEvidence(naked, world.question)).toEqual(refused('signature', 'alg'));
    expect(await answer({}, { roots: { ...world.question.roots, nvidia: { keys: [] } } })).toEqual(
      refused('chain'),
    );
  });

  test('devices that the verifier did not see together', async () => {
    const evidence = await evidenceOf();
    const [first, second] = Object.values(evidence.deviceTokens);
    const given = (deviceTokens: Record<string, string>) =>
      verifyEvidence(written({ ...evidence, deviceTokens }), world.question);
    expect(await given({ 'GPU-0': first! })).toEqual(refused('devices', 'saw'));
    expect(await given({ 'GPU-0': second!, 'GPU-1': first! })).toEqual(refused('devices', 'GPU-0'));
    expect(await given({})).toEqual(refused('devices'));
    const many = Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`GPU-${index}`, first!]));
    expect((await given(many)).accepted).toBe(false);
  });

  test('truncated', async () => {
    const evidence = await evidenceOf();
    const cut = written({ ...evidence, overallToken: evidence.overallToken.slice(0, -40) });
    expect(await verifyEvidence(cut, world.question)).toEqual(refused('signature'));
    const half = written({ ...evidence, overallToken: 'eyJ' });
    expect(await verifyEvidence(half, world.question)).toEqual(refused('malformed'));
  });

  test('kind that is not expected', async () => {
    const { nvidia: _none, ...rules } = world.question.rules;
    expect(await answer({}, { rules })).toEqual(refused('kind'));
    const { nvidia: _unknown, ...roots } = world.question.roots;
    expect(await answer({}, { roots })).toEqual(refused('collateral', 'keys'));
  });
});
