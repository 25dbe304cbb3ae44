import { createHash } from 'node:crypto';
import { createLocalJWKSet, errors, jwtVerify, type JSONWebKeySet, type JWTPayload } from 'jose';
import { z } from 'zod';
import { deviceNonceOf } from '../binding.js';
import type { NvidiaEvidence } from '../evidence.js';
import type { Question } from '../question.js';
import { isAtLeast, type Rules } from '../rules.js';
import { demand, EvidenceRefused, type Refusal } from '../verdict.js';

/** What NVIDIA's verifier signs with. */
const ALGORITHMS = ['ES384'];
const CLOCK_TOLERANCE_SECONDS = 5;

const overallClaims = z.object({
  eat_nonce: z.string(),
  'x-nvidia-overall-att-result': z.boolean(),
  submods: z.record(z.string(), z.tuple([z.literal('DIGEST'), z.tuple([z.literal('SHA-256'), z.string()])])),
});
const certificates = z.object({
  'x-nvidia-cert-status': z.string(),
  'x-nvidia-cert-ocsp-status': z.string(),
});
/** Version 3 of the claims, of which all that can fail is held against its good value. */
const deviceClaims = z.object({
  eat_nonce: z.string(),
  ueid: z.string().min(1),
  hwmodel: z.string(),
  measres: z.string(),
  secboot: z.boolean(),
  dbgstat: z.string(),
  'x-nvidia-gpu-driver-version': z.string(),
  'x-nvidia-gpu-vbios-version': z.string(),
  'x-nvidia-gpu-attestation-report-cert-chain': certificates,
  'x-nvidia-gpu-driver-rim-cert-chain': certificates,
  'x-nvidia-gpu-vbios-rim-cert-chain': certificates,
  'x-nvidia-gpu-arch-check': z.boolean(),
  'x-nvidia-gpu-attestation-report-parsed': z.boolean(),
  'x-nvidia-gpu-attestation-report-nonce-match': z.boolean(),
  'x-nvidia-gpu-attestation-report-signature-verified': z.boolean(),
  'x-nvidia-gpu-attestation-report-cert-chain-fwid-match': z.boolean(),
  'x-nvidia-gpu-driver-rim-schema-validated': z.boolean(),
  'x-nvidia-gpu-driver-rim-signature-verified': z.boolean(),
  'x-nvidia-gpu-driver-rim-version-match': z.boolean(),
  'x-nvidia-gpu-driver-rim-measurements-available': z.boolean(),
  'x-nvidia-gpu-vbios-rim-schema-validated': z.boolean(),
  'x-nvidia-gpu-vbios-rim-signature-verified': z.boolean(),
  'x-nvidia-gpu-vbios-rim-version-match': z.boolean(),
  'x-nvidia-gpu-vbios-rim-measurements-available': z.boolean(),
  'x-nvidia-gpu-vbios-index-no-conflict': z.boolean(),
});
type DeviceClaims = z.output<typeof deviceClaims>;
type NvidiaRules = NonNullable<Rules['nvidia']>;

export type DevicesVerdict = {
  readonly firmware: string;
  readonly models: string;
  readonly deviceCount: number;
  readonly restsUntil: Date;
};

/**
 * What NVIDIA's verifier says of a machine's devices: one token over all of them, which names the digest of each
 * device's own. The nonce of all is that of the machine's evidence, so that the devices are those of that machine.
 * @throws EvidenceRefused
 */
export async function verifyTokens(
  { overallToken, deviceTokens }: NvidiaEvidence,
  { rules, roots, now, nonce, nodeKey }: Question,
): Promise<DevicesVerdict> {
  demand(rules.nvidia !== undefined, 'kind', 'evidence of NVIDIA devices is not expected');
  demand(roots.nvidia !== undefined, 'collateral', 'the keys of the verifier are not known');
  const expected = { rules: rules.nvidia, keys: roots.nvidia, now };
  const nonceInHex = deviceNonceOf(nonce, nodeKey);
  const overall = await claimsOf(overallToken, overallClaims, expected);
  demandNonce(overall.claims.eat_nonce, nonceInHex);
  demand(overall.claims['x-nvidia-overall-att-result'], 'result', 'the verifier found a device wanting');
  demandSameDevices(overall.claims.submods, deviceTokens);

  const devices: DeviceClaims[] = [];
  const ends = [overall.expiresAt];
  for (const [name, token] of Object.entries(deviceTokens)) {
    const { claims, expiresAt } = await claimsOf(token, deviceClaims, expected);
    demandNonce(claims.eat_nonce, nonceInHex);
    demandSound(name, claims, rules.nvidia);
    devices.push(claims);
    ends.push(expiresAt);
  }
  demand(new Set(devices.map(({ ueid }) => ueid)).size === devices.length, 'devices', 'one is named twice');
  const oldest = (claim: 'x-nvidia-gpu-driver-version' | 'x-nvidia-gpu-vbios-version') =>
    devices.map(device => device[claim]).reduce((least, one) => (isAtLeast(one, least) ? least : one));
  return {
    firmware: `driver ${oldest('x-nvidia-gpu-driver-version')}, VBIOS ${oldest('x-nvidia-gpu-vbios-version')}`,
    models: [...new Set(devices.map(({ hwmodel }) => hwmodel))].join(', '),
    deviceCount: devices.length,
    restsUntil: new Date(Math.min(...ends.map(end => end.getTime()))),
  };
}

function demandSameDevices(
  submods: z.output<typeof overallClaims>['submods'],
  tokens: Readonly<Record<string, string>>,
): void {
  const names = Object.keys(tokens);
  const areAll = names.length > 0 && Object.keys(submods).length === names.length;
  demand(areAll, 'devices', 'the tokens are not those of the devices that the verifier saw');
  for (const name of names) {
    const digest = createHash('sha256').update(tokens[name]!).digest('hex');
    const isNamed = submods[name]?.[1][1].toLowerCase() === digest;
    demand(isNamed, 'devices', `the token of ${name} is not the one that the verifier signed over`);
  }
}

function demandSound(name: string, claims: DeviceClaims, rules: NvidiaRules): void {
  demand(claims.dbgstat === 'disabled', 'debug', `${name} can be debugged`);
  demand(claims.secboot, 'policy', `${name} was not started securely`);
  demand(claims.measres === 'success', 'measurement', `${name} does not measure as it should`);
  const failed = Object.entries(claims).find(([, value]) => value === false);
  demand(failed === undefined, 'result', `${name}: ${failed?.[0]} is false`);
  for (const [claim, value] of Object.entries(claims)) {
    if (typeof value !== 'object') continue;
    const isGood = value['x-nvidia-cert-status'] === 'valid' && value['x-nvidia-cert-ocsp-status'] === 'good';
    demand(isGood, 'revoked', `${name}: ${claim} is not in order`);
  }
  const isKnown = rules.hardwareModels.some(model => claims.hwmodel.startsWith(model));
  demand(isKnown, 'hardware', `${name} is a ${claims.hwmodel}`);
  const { 'x-nvidia-gpu-driver-version': driver, 'x-nvidia-gpu-vbios-version': vbios } = claims;
  demand(isAtLeast(driver, rules.minimumDriver), 'firmware', `${name} has driver ${driver}`);
  demand(isAtLeast(vbios, rules.minimumVbios), 'firmware', `${name} has VBIOS ${vbios}`);
}

function demandNonce(given: string, expected: string): void {
  // It is derived from the node's key as well, and does not say which of them is wrong.
  demand(given.toLowerCase() === expected, 'nonce', 'the tokens answer another challenge or another node');
}

type Expected = { readonly rules: NvidiaRules; readonly keys: JSONWebKeySet; readonly now: Date };
type Claims<T> = { readonly claims: T; readonly expiresAt: Date };

async function claimsOf<Schema extends z.ZodType>(
  token: string,
  schema: Schema,
  { rules, keys, now }: Expected,
): Promise<Claims<z.output<Schema>>> {
  const payload = await payloadOf(token, { rules, keys, now });
  const parsed = schema.safeParse(payload);
  if (parsed.success) return { claims: parsed.data, expiresAt: new Date(payload.exp! * 1_000) };
  const [issue] = parsed.error.issues;
  throw new EvidenceRefused('malformed', `a token's ${issue?.path.join('.')}: ${issue?.message}`);
}

async function payloadOf(token: string, { rules, keys, now }: Expected): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, createLocalJWKSet(keys), {
      algorithms: ALGORITHMS,
      issuer: rules.issuer,
      currentDate: now,
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      maxTokenAge: rules.maxTokenAgeSeconds,
      requiredClaims: ['iat', 'exp'],
    });
    return payload;
  } catch (error) {
    throw new EvidenceRefused(reasonOf(error), error instanceof Error ? error.message : String(error));
  }
}

function reasonOf(error: unknown): Refusal {
  if (error instanceof errors.JWTExpired) return 'expired';
  if (error instanceof errors.JWTClaimValidationFailed)
    return ['iat', 'nbf'].includes(error.claim) ? 'not_yet_valid' : 'chain';
  const isUnknownKey = error instanceof errors.JWKSNoMatchingKey;
  if (isUnknownKey || error instanceof errors.JWKSMultipleMatchingKeys) return 'chain';
  if (error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid) return 'malformed';
  return 'signature';
}
