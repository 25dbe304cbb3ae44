import { Injectable } from '@nestjs/common';
import { rawPublicKey } from '@astro/messages/nkey';
import { findApiKeyByHash } from '@astro/read-models/registry/api-keys';
import { findNode } from '@astro/read-models/registry/nodes';
import { parseApiKey, sha256Of } from '@astro/runtime/api-key';
import { verifyNodeToken } from '@astro/runtime/node-token';
import { decodeJwt, errors } from 'jose';
import { LRUCache } from 'lru-cache';
import { ReadModels } from '../read-models.js';
import type { Caller } from './caller.js';
import { Problem } from './problem.js';

/** A revoked key stops working within this time; what a node gets for its key is for the one that it has now. */
const CACHE_TTL_MS = 5_000;
const CACHED_MAX = 10_000;

/** Tells who sends a request from its `Authorization` header. */
@Injectable()
export class Authentication {
  private readonly callers = new LRUCache<string, Caller>({ max: CACHED_MAX, ttl: CACHE_TTL_MS });
  private readonly nodeKeys = new LRUCache<string, Uint8Array>({ max: CACHED_MAX, ttl: CACHE_TTL_MS });

  constructor(private readonly readModels: ReadModels) {}

  /** @throws Problem `credentials_missing` or `credentials_invalid` */
  async callerOf(authorization: string | undefined): Promise<Caller> {
    if (authorization === undefined)
      throw unauthenticated('credentials_missing', 'There is no Authorization header');
    const token = /^Bearer +([\w.~+/=-]{1,4096}) *$/i.exec(authorization)?.[1];
    if (token === undefined)
      throw unauthenticated('credentials_invalid', 'Authorization must be `Bearer <credential>`');
    return token.split('.').length === 3 ? this.nodeOf(token) : this.ownerOf(token);
  }

  /** The key of this node has changed: here at once, in other processes when they look again. */
  forgetKeyOf(nodeId: string): void {
    this.nodeKeys.delete(nodeId);
  }

  private async ownerOf(apiKey: string): Promise<Caller> {
    // The checksum keeps mistyped keys away from the database.
    if (!parseApiKey(apiKey))
      throw unauthenticated('credentials_invalid', 'The API key is mistyped or cut off');
    const sha256 = sha256Of(apiKey);
    const cached = this.callers.get(sha256);
    if (cached) return cached;
    const key = await this.readModels.query(em => findApiKeyByHash(em, sha256));
    if (!key || key.owner === 'unspecified')
      throw unauthenticated('credentials_invalid', 'The API key is not valid');
    const caller: Caller = { kind: key.owner, id: key.ownerId, apiKeyId: key.keyId };
    this.callers.set(sha256, caller);
    return caller;
  }

  private async nodeOf(token: string): Promise<Caller> {
    try {
      const nodeId = decodeJwt(token).iss ?? '';
      const cached = this.nodeKeys.get(nodeId);
      // A key that was known a moment ago may have been replaced since.
      if (cached && (await isSignedBy(token, cached))) return { kind: 'node', id: nodeId };
      const key = await this.keyOf(nodeId);
      if (key && (await isSignedBy(token, key))) return { kind: 'node', id: nodeId };
    } catch (error) {
      if (!(error instanceof errors.JOSEError)) throw error;
    }
    throw unauthenticated('credentials_invalid', 'The node token is not valid');
  }

  private async keyOf(nodeId: string): Promise<Uint8Array | undefined> {
    const node = await this.readModels.query(em => findNode(em, nodeId));
    if (!node) return undefined;
    if (node.revokedAt) throw new Problem('node_revoked');
    const key = rawPublicKey(node.publicKey);
    this.nodeKeys.set(nodeId, key);
    return key;
  }
}

/** @throws Problem `clock_differs`; JOSEError about what the token says */
async function isSignedBy(token: string, key: Uint8Array): Promise<boolean> {
  try {
    await verifyNodeToken(token, key);
    return true;
  } catch (error) {
    if (error instanceof errors.JWSSignatureVerificationFailed) return false;
    const { iat } = decodeJwt(token);
    const isAboutTime = error instanceof errors.JWTExpired || isFromTheFuture(error);
    if (!isAboutTime || iat === undefined) throw error;
    const aheadSeconds = iat - Math.floor(Date.now() / 1_000);
    const direction = aheadSeconds > 0 ? 'ahead' : 'behind';
    throw unauthenticated(
      'clock_differs',
      `The token was signed ${Math.abs(aheadSeconds)} s ${direction} of the clock here: set the clock of the node`,
    );
  }
}

const isFromTheFuture = (error: unknown): boolean =>
  error instanceof errors.JWTClaimValidationFailed && error.claim === 'iat';

const unauthenticated = (
  code: 'credentials_missing' | 'credentials_invalid' | 'clock_differs',
  detail: string,
) =>
  new Problem(code, {
    detail,
    headers: {
      'www-authenticate':
        code === 'credentials_missing'
          ? 'Bearer realm="astro"'
          : 'Bearer realm="astro", error="invalid_token"',
    },
  });
