import { expect, test } from '@jest/globals';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { SignJWT, errors } from 'jose';
import { signNodeToken, verifyNodeToken } from './node-token.js';

const keys = (): { seed32: Uint8Array; raw: Uint8Array; privateKey: KeyObject } => {
  const { privateKey } = generateKeyPairSync('ed25519');
  const { d, x } = privateKey.export({ format: 'jwk' });
  return { seed32: Buffer.from(d!, 'base64url'), raw: Buffer.from(x!, 'base64url'), privateKey };
};
const node = keys();
const nodeId = 'node_1';
const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000);

/** A token as somebody else might make it. */
const token = (claims: { iss?: string; sub?: string; aud?: string; ttlSeconds?: number }) => {
  const { iss = nodeId, sub = nodeId, aud = 'astro-gateway', ttlSeconds = 30 } = claims;
  return new SignJWT()
    .setProtectedHeader({ alg: 'EdDSA' })
    .setIssuer(iss)
    .setSubject(sub)
    .setAudience(aud)
    .setIssuedAt()
    .setExpirationTime(inSeconds(ttlSeconds))
    .sign(node.privateKey);
};

test('the token of a node tells which node signed it', async () => {
  const text = await signNodeToken({ nodeId, seed32: node.seed32, ttlSeconds: 60 });
  expect(await verifyNodeToken(text, node.raw)).toBe(nodeId);
});

test('another key is refused', async () => {
  const text = await signNodeToken({ nodeId, seed32: keys().seed32, ttlSeconds: 60 });
  await expect(verifyNodeToken(text, node.raw)).rejects.toBeInstanceOf(errors.JWSSignatureVerificationFailed);
});

test('an expired token is refused', async () => {
  const text = await signNodeToken({ nodeId, seed32: node.seed32, ttlSeconds: 10 });
  expect(await verifyNodeToken(text, node.raw, inSeconds(8))).toBe(nodeId);
  await expect(verifyNodeToken(text, node.raw, inSeconds(20))).rejects.toBeInstanceOf(errors.JWTExpired);
});

test('a token for another audience is refused', async () => {
  await expect(verifyNodeToken(await token({ aud: 'astro-bank' }), node.raw)).rejects.toMatchObject({
    claim: 'aud',
  });
});

test('a token that speaks for another node is refused', async () => {
  await expect(verifyNodeToken(await token({ sub: 'node_2' }), node.raw)).rejects.toMatchObject({
    claim: 'sub',
  });
});

test('a token that is to live longer than a minute is refused', async () => {
  await expect(verifyNodeToken(await token({ ttlSeconds: 3600 }), node.raw)).rejects.toMatchObject({
    claim: 'exp',
  });
  await expect(signNodeToken({ nodeId, seed32: node.seed32, ttlSeconds: 61 })).rejects.toBeInstanceOf(
    RangeError,
  );
});

test('a token without a signature is refused', async () => {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const seconds = Math.floor(Date.now() / 1000);
  const claims = { iss: nodeId, sub: nodeId, aud: 'astro-gateway', iat: seconds, exp: seconds + 30 };
  const unsigned = `${part({ alg: 'none' })}.${part(claims)}.`;
  await expect(verifyNodeToken(unsigned, node.raw)).rejects.toBeInstanceOf(errors.JOSEError);
});
