import { fromPublic } from '@nats-io/nkeys';

/** What the JWT of an agent says, once its signature was checked. */
export type AgentCredential = {
  readonly nodeId: string;
  /** In the NATS user form: `U…`. */
  readonly userPublicKey: string;
  /** The key that signed it: that of whoever lets agents in. */
  readonly issuer: string;
  readonly expiresAt: Date;
};

type Claims = {
  readonly sub?: unknown;
  readonly iss?: unknown;
  readonly exp?: unknown;
  readonly name?: unknown;
  readonly nats?: { readonly type?: unknown };
};

/** Undefined when it is no JWT of an agent, or not signed by the key that it names. Nothing is said of that key. */
export function readAgentJwt(jwt: string): AgentCredential | undefined {
  const [head = '', body = '', signature = '', ...rest] = jwt.split('.');
  const claims = claimsOf(body);
  if (!claims || rest.length > 0) return undefined;
  const { sub, iss, exp, name, nats } = claims;
  if (typeof sub !== 'string' || !sub.startsWith('U') || typeof iss !== 'string' || !iss.startsWith('A'))
    return undefined;
  if (typeof name !== 'string' || typeof exp !== 'number' || nats?.type !== 'user') return undefined;
  if (!isSignedBy(iss, `${head}.${body}`, signature)) return undefined;
  return { nodeId: name, userPublicKey: sub, issuer: iss, expiresAt: new Date(exp * 1_000) };
}

function claimsOf(body: string): Claims | undefined {
  try {
    const claims: unknown = JSON.parse(Buffer.from(body, 'base64url').toString());
    return typeof claims === 'object' && claims !== null ? claims : undefined;
  } catch {
    return undefined;
  }
}

function isSignedBy(publicKey: string, text: string, signature: string): boolean {
  try {
    return fromPublic(publicKey).verify(Buffer.from(text), Buffer.from(signature, 'base64url'));
  } catch {
    return false;
  }
}
