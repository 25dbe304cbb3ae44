import { createPrivateKey, type KeyObject } from 'node:crypto';
import { SignJWT, errors, jwtVerify } from 'jose';

/** A node proves to the gateway who it is by a JWT that its own Ed25519 key signs. Short-lived: it is never revoked. */
const audience = 'astro-gateway';
const maxTtlSeconds = 60;
/** Clocks of operators' machines drift; more than this is refused. */
const clockToleranceSeconds = 5;

/** DER of a PKCS #8 private key for Ed25519 up to the 32 bytes of the seed (RFC 8410, section 7). */
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');

export type NodeTokenOptions = {
  readonly nodeId: string;
  readonly seed32: Uint8Array;
  /** At most 60. */
  readonly ttlSeconds: number;
};

/** The key of 32 secret bytes. */
export function nodePrivateKey(seed32: Uint8Array): KeyObject {
  if (seed32.length !== 32) throw new RangeError(`an Ed25519 seed has 32 bytes, not ${seed32.length}`);
  return createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seed32]), format: 'der', type: 'pkcs8' });
}

export async function signNodeToken({ nodeId, seed32, ttlSeconds }: NodeTokenOptions): Promise<string> {
  const key = nodePrivateKey(seed32);
  if (!(ttlSeconds > 0 && ttlSeconds <= maxTtlSeconds)) throw new RangeError(`ttlSeconds: ${ttlSeconds}`);
  const issuedAt = Math.floor(Date.now() / 1000);
  return new SignJWT()
    .setProtectedHeader({ alg: 'EdDSA', typ: 'JWT' })
    .setIssuer(nodeId)
    .setSubject(nodeId)
    .setAudience(audience)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + ttlSeconds)
    .sign(key);
}

/**
 * The id of the node that signed `token`.
 * @param rawPublicKey the 32 bytes that the node enrolled with
 * @param now for checks of old tokens
 * @throws JOSEError of jose when the token is forged, expired, too long-lived or meant for somebody else
 */
export async function verifyNodeToken(token: string, rawPublicKey: Uint8Array, now?: Date): Promise<string> {
  const key = { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(rawPublicKey).toString('base64url') };
  const { payload } = await jwtVerify(token, key, {
    algorithms: ['EdDSA'],
    audience,
    requiredClaims: ['iss', 'sub', 'iat', 'exp'],
    maxTokenAge: maxTtlSeconds,
    clockTolerance: clockToleranceSeconds,
    ...(now === undefined ? {} : { currentDate: now }),
  });
  const { iss = '', sub, iat = 0, exp = 0 } = payload;
  if (iss === '' || iss !== sub) {
    throw new errors.JWTClaimValidationFailed(
      '"iss" and "sub" must both be the node id',
      payload,
      'sub',
      'check_failed',
    );
  }
  if (exp - iat > maxTtlSeconds) {
    throw new errors.JWTClaimValidationFailed(
      `"exp" may be ${maxTtlSeconds} s after "iat"`,
      payload,
      'exp',
      'check_failed',
    );
  }
  return iss;
}
