import { nuid } from '@nats-io/transport-node';
import type { Signer } from './signer.js';

export type ClaimsOptions<Claims> = {
  readonly signer: Signer;
  /** Public key of whom the claims are about. */
  readonly subject: string;
  readonly name: string;
  readonly type: 'operator' | 'account' | 'user';
  readonly nats: Partial<Claims>;
  readonly ttlSeconds?: number;
  /** `iat` of claims that these count for more than: a server compares it, which has whole seconds. */
  readonly replaces?: number;
};

export type SignedClaims<Claims> = {
  /** Who signed it. */
  readonly iss: string;
  readonly sub: string;
  readonly iat: number;
  readonly exp?: number;
  readonly name: string;
  readonly nats: Partial<Claims>;
};

/**
 * Signed like any JWT, with nkeys as the algorithm. The NATS library can do it too, but only
 * asynchronously.
 */
export function sign<Claims>({
  signer,
  subject,
  name,
  type,
  nats,
  ttlSeconds,
  replaces = 0,
}: ClaimsOptions<Claims>): string {
  const issuedAt = Math.max(Math.floor(Date.now() / 1_000), replaces + 1);
  const payload = {
    jti: nuid.next(),
    iat: issuedAt,
    iss: signer.publicKey,
    name,
    sub: subject,
    ...(ttlSeconds !== undefined && { exp: issuedAt + ttlSeconds }),
    nats: { ...nats, type, version: 2 },
  };
  const parts = [{ typ: 'JWT', alg: 'ed25519-nkey' }, payload].map(part =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  );
  const signed = parts.join('.');
  return `${signed}.${Buffer.from(signer.sign(Buffer.from(signed))).toString('base64url')}`;
}

/** What a JWT says. Who signed it is not looked at: the server does that. */
export function claimsIn<Claims>(jwt: string): SignedClaims<Claims> {
  const payload = Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString('utf8');
  return JSON.parse(payload) as SignedClaims<Claims>;
}
