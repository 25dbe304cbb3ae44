import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { carOf } from '@astro/content/car';
import { WrongBlock } from '@astro/content/block';
import { headersOf, isKnown, rangeOf, wishOf, type Wish } from '@astro/content/trustless';
import { reasonOf, type Log } from '@astro/jetstream/log';
import type { ContentCache } from './content-cache.js';

const PATH = '/ipfs/';
const CONNECTIONS_MAX = 128;
const REQUESTS_MAX = 64;
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;

export type ContentServerOptions = {
  readonly cache: Pick<ContentCache, 'has' | 'read'>;
  readonly bytesPerSecondMax: number;
  /** The node that asks, by its `Authorization` header; undefined for a stranger. */
  peerOf(authorization: string | undefined): Promise<string | undefined>;
  readonly log: Log;
};

/**
 * Gives what is in the cache to other nodes, as a trustless gateway of the IPFS specification. A content id is a
 * capability: a node that knows it may have the bytes. Who asks checks them, so that they are sent as they are.
 */
export class ContentServer {
  readonly #options: ContentServerOptions;
  readonly #server: Server;
  #requests = 0;
  /** When all that was sent so far will have been paid for at the rate that is allowed. */
  #paidUntilMs = 0;

  private constructor(options: ContentServerOptions) {
    this.#options = options;
    this.#server = createServer(
      { headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS },
      (request, response) => void this.#handle(request, response),
    );
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  static async listen(
    { host, port }: { readonly host: string; readonly port: number },
    options: ContentServerOptions,
  ): Promise<ContentServer> {
    const server = new ContentServer(options);
    server.#server.listen(port, host);
    await once(server.#server, 'listening');
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.#requests >= REQUESTS_MAX) {
      refuse(response, 503, 'too many requests at once', { 'retry-after': '1' });
      return;
    }
    this.#requests += 1;
    try {
      await this.#answer(request, response);
    } catch (error) {
      this.#options.log.warn('a request for content failed', { reason: reasonOf(error) });
      if (response.headersSent) response.destroy();
      else refuse(response, error instanceof WrongBlock ? 404 : 500, 'the content cannot be sent');
    } finally {
      this.#requests -= 1;
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
    if (!['GET', 'HEAD'].includes(request.method ?? ''))
      return refuse(response, 405, 'only GET and HEAD', { allow: 'GET, HEAD' });
    if ((await this.#options.peerOf(request.headers.authorization)) === undefined)
      return refuse(response, 401, 'only nodes of the platform are served', { 'www-authenticate': 'Bearer' });
    if (!pathname.startsWith(PATH)) return refuse(response, 404, 'there is nothing here');
    const { accept } = request.headers;
    const wish = wishOf({ path: pathname.slice(PATH.length), query: searchParams, accept });
    if ('status' in wish) return refuse(response, wish.status, wish.reason);
    if (!this.#options.cache.has(wish.cid)) return refuse(response, 404, 'it is not in the cache');
    const headers = headersOf(wish);
    if (isKnown(request.headers['if-none-match'], headers.etag)) {
      response.writeHead(304, headers).end();
      return;
    }
    if (request.method === 'HEAD') response.writeHead(200, headers).end();
    else await this.#send(wish, headers, response);
  }

  async #send(
    wish: Wish,
    headers: Readonly<Record<string, string>>,
    response: ServerResponse,
  ): Promise<void> {
    if (wish.format === 'raw') {
      const bytes = await this.#options.cache.read(wish.cid);
      if (!bytes) return refuse(response, 404, 'it is not in the cache');
      await this.#pace(bytes.length);
      response.writeHead(200, { ...headers, 'content-length': bytes.length }).end(bytes);
      return;
    }
    const read = async (cid: string) => {
      const bytes = await this.#options.cache.read(cid);
      if (!bytes) throw new WrongBlock(`${cid} is not in the cache`);
      await this.#pace(bytes.length);
      return bytes;
    };
    const blocks = carOf(wish.cid, read, await rangeOf(wish, read));
    response.writeHead(200, headers);
    await pipeline(Readable.from(blocks), response);
  }

  /** Waits until so many bytes more may be sent. */
  async #pace(sizeBytes: number): Promise<void> {
    const nowMs = performance.now();
    const waitMs = this.#paidUntilMs - nowMs;
    const costMs = (sizeBytes * 1_000) / this.#options.bytesPerSecondMax;
    this.#paidUntilMs = Math.max(nowMs, this.#paidUntilMs) + costMs;
    if (waitMs > 1) await sleep(waitMs);
  }
}

function refuse(
  response: ServerResponse,
  status: number,
  reason: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  const text = Buffer.from(`${reason}\n`);
  // Told beforehand, so that the connection serves the next request too.
  const described = { 'content-type': 'text/plain; charset=utf-8', 'content-length': text.length };
  response.writeHead(status, { ...headers, ...described }).end(text);
}
