import { publicKeyText, seedText } from '@astro/messages/nkey';
import type { User } from '@nats-io/jwt';
import { sign } from './claims.js';
import { signerOf } from './signer.js';
import { assertToken } from './subjects.js';

/** No agent's JWT may live longer, so what was revoked before that need not be remembered. */
export const AGENT_JWT_TTL_MAX_SECONDS = 86_400;

export type AgentJwtOptions = {
  readonly accountPublicKey: string;
  readonly signingSeed: string;
  readonly nodeId: string;
  /** The agent's own user nkey (`U…`): only who holds its seed can use the JWT. */
  readonly userPublicKey: string;
  readonly ttlSeconds: number;
};

/**
 * A JWT that lets one node say and hear what is its own, for a while.
 * @throws RangeError when it would live longer than a revocation is remembered
 */
export function issueAgentJwt(options: AgentJwtOptions): string {
  const { ttlSeconds } = options;
  if (!(ttlSeconds > 0 && ttlSeconds <= AGENT_JWT_TTL_MAX_SECONDS))
    throw new RangeError(`ttlSeconds: ${ttlSeconds}`);
  // Limits and permissions must be absent: the server takes them from the signing key's scope, or refuses
  // the JWT.
  return sign<User>({
    signer: signerOf(options.signingSeed),
    subject: options.userPublicKey,
    name: assertToken(options.nodeId),
    type: 'user',
    nats: { issuer_account: options.accountPublicKey },
    ttlSeconds,
  });
}

/** The nkey pair of an agent's 32 secret bytes. */
export function agentKeyPair(seed32: Uint8Array): { readonly publicKey: string; readonly seed: Uint8Array } {
  return {
    publicKey: publicKeyText('user', seed32),
    seed: new TextEncoder().encode(seedText('user', seed32)),
  };
}
