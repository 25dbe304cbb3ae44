import { readAgentJwt } from '@astro/jetstream/agent-credential';
import { signPeerToken, verifyPeerToken } from '@astro/runtime/peer-token';
import { errors } from 'jose';
import { LRUCache } from 'lru-cache';

/** A token is used for many blocks, and made anew well before it ends. */
const RENEW_AFTER_MS = 30_000;
const TOKENS_REMEMBERED = 1_000;

export type OwnCredentials = {
  readonly nodeId: string;
  /** The key and what the platform signed for it, as they are now: both are renewed from time to time. */
  seed32(): Uint8Array;
  jwt(): string;
};

/** How this node shows others who it is, and finds out who they are. */
export class PeerCredentials {
  readonly #own: OwnCredentials;
  readonly #made = new LRUCache<string, Promise<string>>({ max: TOKENS_REMEMBERED, ttl: RENEW_AFTER_MS });
  readonly #verified = new LRUCache<string, string>({ max: TOKENS_REMEMBERED });

  constructor(own: OwnCredentials) {
    this.#own = own;
  }

  /** Value of the `Authorization` header for another node. */
  async authorizationFor(forNodeId: string): Promise<string> {
    const { nodeId } = this.#own;
    const own = { nodeId, seed32: this.#own.seed32(), credential: this.#own.jwt() };
    const made = this.#made.get(forNodeId) ?? signPeerToken({ ...own, forNodeId });
    if (!this.#made.has(forNodeId)) this.#made.set(forNodeId, made);
    return `Bearer ${await made}`;
  }

  /** The node that asks; undefined when it does not prove that it is one. */
  async peerOf(authorization: string | undefined): Promise<string | undefined> {
    const token = /^Bearer ([\w.-]{1,8192})$/.exec(authorization ?? '')?.[1];
    if (token === undefined) return undefined;
    const known = this.#verified.get(token);
    if (known !== undefined) return known;
    const own = readAgentJwt(this.#own.jwt());
    if (!own) return undefined;
    try {
      const { nodeId, expiresAt } = await verifyPeerToken(token, { nodeId: own.nodeId, issuer: own.issuer });
      const ttl = expiresAt.getTime() - Date.now();
      if (ttl > 0) this.#verified.set(token, nodeId, { ttl });
      return nodeId;
    } catch (error) {
      if (error instanceof errors.JOSEError) return undefined;
      throw error;
    }
  }
}
