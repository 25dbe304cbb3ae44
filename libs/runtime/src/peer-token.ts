import { readAgentJwt } from '@astro/jetstream/agent-credential';
import { privateKeyOf, rawPublicKey } from '@astro/messages/nkey';
import { decodeJwt, errors, jwtVerify, SignJWT } from 'jose';

const maxTtlSeconds = 60;
/** Clocks of operators' machines drift; more than this is refused. */
const clockToleranceSeconds = 5;

/**
 * A node proves to another node who it is: by the credentials that let it on to the bus, which the platform has signed,
 * and by a signature of the key that is named there, for one other node and a short time. So no node needs a list of
 * the others, and what one has been shown is of no use with another, with the gateway or on the bus.
 */
export type PeerTokenOptions = {
  readonly nodeId: string;
  readonly seed32: Uint8Array;
  /** The JWT of the node's credentials. */
  readonly credential: string;
  /** The node that is to take it. */
  readonly forNodeId: string;
};

export async function signPeerToken({
  nodeId,
  seed32,
  credential,
  forNodeId,
}: PeerTokenOptions): Promise<string> {
  const issuedAt = Math.floor(Date.now() / 1_000);
  return new SignJWT({ credential })
    .setProtectedHeader({ alg: 'EdDSA', typ: 'JWT' })
    .setIssuer(nodeId)
    .setAudience(audienceOf(forNodeId))
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + maxTtlSeconds)
    .sign(privateKeyOf(seed32));
}

/**
 * @param here the node that was asked, and the key that has signed its own credentials
 * @returns who asks, and until when the token counts
 * @throws JOSEError of jose when the token is forged, expired, or meant for somebody else
 */
export async function verifyPeerToken(
  token: string,
  here: { readonly nodeId: string; readonly issuer: string },
): Promise<{ readonly nodeId: string; readonly expiresAt: Date }> {
  const { credential } = decodeJwt(token);
  const shown = typeof credential === 'string' ? readAgentJwt(credential) : undefined;
  if (!shown || shown.issuer !== here.issuer) throw new errors.JWTInvalid('no credential of this platform');
  if (shown.expiresAt.getTime() < Date.now()) throw new errors.JWTInvalid('the credential has expired');
  const x = Buffer.from(rawPublicKey(shown.userPublicKey)).toString('base64url');
  const { payload } = await jwtVerify(
    token,
    { kty: 'OKP', crv: 'Ed25519', x },
    {
      algorithms: ['EdDSA'],
      issuer: shown.nodeId,
      audience: audienceOf(here.nodeId),
      requiredClaims: ['iat', 'exp'],
      maxTokenAge: maxTtlSeconds,
      clockTolerance: clockToleranceSeconds,
    },
  );
  return { nodeId: shown.nodeId, expiresAt: new Date((payload.exp ?? 0) * 1_000) };
}

const audienceOf = (nodeId: string): string => `astro-node:${nodeId}`;
