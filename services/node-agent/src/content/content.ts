import { CONTENT_LIMIT_BYTES, type GatewayClient } from '../gateway/gateway-client.js';
import type { ContentCache } from './content-cache.js';
import { cidOf, isCid } from '@astro/messages/content-id';

/** The bytes that came for a content id are others. */
export class ContentMismatch extends Error {
  override readonly name = 'ContentMismatch';
}

/** Bytes that a lease has moved: not those of the cache, nor those that another lease was fetching. */
export type Moved = { fetchedBytes: number; uploadedBytes: number };

/** Inputs come from the gateway by their content id, and outputs go there; both are kept on disk for the next task. */
export class Content {
  readonly #gateway: GatewayClient;
  readonly #cache: ContentCache;
  readonly #authorization: () => Promise<string>;
  readonly #fetching = new Map<string, Promise<Uint8Array>>();

  constructor(gateway: GatewayClient, cache: ContentCache, authorization: () => Promise<string>) {
    this.#gateway = gateway;
    this.#cache = cache;
    this.#authorization = authorization;
  }

  /**
   * @param moved counts what the gateway sent
   * @throws ContentMismatch, GatewayRefusal, or another Error when the gateway cannot be reached
   */
  async fetch(cid: string, signal: AbortSignal, moved?: Moved): Promise<Uint8Array> {
    if (!isCid(cid)) throw new ContentMismatch('an input has no proper content id');
    for (;;) {
      signal.throwIfAborted();
      const inFlight = this.#fetching.get(cid);
      // Leases of one job share their program. Whoever waits for another lease's download tries for itself if
      // that one is stopped.
      if (inFlight) {
        const bytes = await inFlight.catch(() => undefined);
        if (bytes) return bytes;
        continue;
      }
      const fetching = this.#load(cid, signal, moved).finally(() => this.#fetching.delete(cid));
      this.#fetching.set(cid, fetching);
      return fetching;
    }
  }

  /** Uploads `bytes`, unless the gateway has them, and answers their content id. `moved` counts what was sent. */
  async store(bytes: Uint8Array, signal: AbortSignal, moved?: Moved): Promise<string> {
    const cid = cidOf(bytes);
    await this.#cache.put(cid, bytes);
    const path = `/v1/content/${cid}`;
    await this.#gateway.request({ method: 'PUT', path, bytes, authorization: this.#authorization }, signal);
    if (moved) moved.uploadedBytes += bytes.length;
    return cid;
  }

  async #load(cid: string, signal: AbortSignal, moved?: Moved): Promise<Uint8Array> {
    const cached = await this.#cache.get(cid);
    if (cached) return cached;
    const path = `/v1/content/${cid}`;
    const request = { method: 'GET', path, authorization: this.#authorization } as const;
    const bytes = await this.#gateway.request({ ...request, limitBytes: CONTENT_LIMIT_BYTES }, signal);
    if (cidOf(bytes) !== cid) throw new ContentMismatch(`the gateway answered other bytes for ${cid}`);
    if (moved) moved.fetchedBytes += bytes.length;
    await this.#cache.put(cid, bytes);
    return bytes;
  }
}
