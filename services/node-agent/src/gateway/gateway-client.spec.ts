import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { ContentCache } from '../content/content-cache.js';
import { cidOf } from '@astro/messages/content-id';
import { Content, ContentMismatch } from '../content/content.js';
import { GatewayClient, GatewayRefusal } from './gateway-client.js';

/** A machine that is busy with other things only makes it slower. */
jest.setTimeout(60_000);

/** A network in trouble: each request is answered by the next of these, the last one again and again. */
type Behaviour = (request: IncomingMessage, response: ServerResponse) => void;

const answer =
  (status: number, body: string | Uint8Array = ''): Behaviour =>
  (_, response) =>
    response.writeHead(status).end(body);
const hangUp: Behaviour = request => request.socket.destroy();

let server: Server;
let client: GatewayClient;
let behaviours: Behaviour[];
let requests: string[];
const never = new AbortController().signal;

beforeEach(async () => {
  requests = [];
  server = createServer((request, response) => {
    requests.push(`${request.method} ${request.headers.authorization}`);
    const behaviour = behaviours.length > 1 ? behaviours.shift() : behaviours[0];
    behaviour?.(request, response);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  client = new GatewayClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});

afterEach(async () => {
  client.close();
  server.closeAllConnections();
  await new Promise(resolve => server.close(resolve));
});

let tokens = 0;
const get = (limitBytes?: number) =>
  client.request(
    {
      method: 'GET',
      path: '/v1/x',
      authorization: () => `token-${++tokens}`,
      ...(limitBytes && { limitBytes }),
    },
    never,
  );

describe('requests to the gateway', () => {
  test('are repeated, each with a new token, while the network or the gateway is in trouble', async () => {
    tokens = 0;
    behaviours = [hangUp, answer(503), answer(429), answer(200, 'ok')];
    expect(new TextDecoder().decode(await get())).toBe('ok');
    expect(requests).toEqual([1, 2, 3, 4].map(attempt => `GET Bearer token-${attempt}`));
  });

  test('are not repeated when they are refused, and the refusal says why', async () => {
    behaviours = [
      answer(422, JSON.stringify({ code: 'body_invalid', title: 'Invalid', detail: 'no region' })),
    ];
    const refused = get();
    await expect(refused).rejects.toBeInstanceOf(GatewayRefusal);
    await expect(refused).rejects.toMatchObject({ status: 422, code: 'body_invalid' });
    expect(requests).toHaveLength(1);
  });

  test('are given up after a bounded number of attempts', async () => {
    behaviours = [answer(503)];
    await expect(get()).rejects.toMatchObject({ status: 503 });
    expect(requests).toHaveLength(5);
  }, 30_000);

  test('never read more than they were told to expect', async () => {
    behaviours = [answer(200, new Uint8Array(1_001))];
    await expect(get(1_000)).rejects.toThrow('larger than 1000 bytes');
    behaviours = [answer(200, new Uint8Array(1_000))];
    expect(await get(1_000)).toHaveLength(1_000);
  }, 30_000);

  test('follow no redirect, which would carry the token elsewhere', async () => {
    behaviours = [(_, response) => response.writeHead(307, { location: 'http://127.0.0.1:1/' }).end()];
    await expect(get()).rejects.toThrow();
  }, 30_000);

  test('end with the lease that they belong to', async () => {
    behaviours = [() => undefined];
    const stop = new AbortController();
    const request = client.request({ method: 'GET', path: '/', authorization: () => 'token' }, stop.signal);
    server.once('request', () => stop.abort(new Error('the lease was taken back')));
    await expect(request).rejects.toThrow();
    expect(requests).toHaveLength(1);
  });
});

describe('content', () => {
  const bytes = new TextEncoder().encode('an input');
  let folder: string;
  let content: Content;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'astro-content-'));
    content = new Content(client, await ContentCache.open(folder, 1_000), () => Promise.resolve('token'));
  });

  afterEach(() => rm(folder, { recursive: true, force: true }));

  test('is fetched once, however many leases want it', async () => {
    behaviours = [answer(200, bytes)];
    const leases = [1, 2, 3].map(() => ({ fetchedBytes: 0, uploadedBytes: 0 }));
    const wanted = leases.map(moved => content.fetch(cidOf(bytes), never, moved));
    expect(await Promise.all(wanted)).toEqual([bytes, bytes, bytes]);
    expect(await content.fetch(cidOf(bytes), never, leases[1])).toEqual(bytes);
    expect(requests).toHaveLength(1);
    // The first has moved it; the others took it from this machine.
    expect(leases.map(({ fetchedBytes }) => fetchedBytes)).toEqual([bytes.length, 0, 0]);
  });

  test('that is stored counts as moved once it is there', async () => {
    const moved = { fetchedBytes: 0, uploadedBytes: 0 };
    behaviours = [answer(400, bytes)];
    await expect(content.store(bytes, never, moved)).rejects.toThrow();
    expect(moved.uploadedBytes).toBe(0);
    behaviours = [answer(201, bytes)];
    await content.store(bytes, never, moved);
    expect(moved).toEqual({ fetchedBytes: 0, uploadedBytes: bytes.length });
  });

  test('that is not what its id says is refused and not kept', async () => {
    behaviours = [answer(200, 'something else')];
    await expect(content.fetch(cidOf(bytes), never)).rejects.toBeInstanceOf(ContentMismatch);
    behaviours = [answer(200, bytes)];
    expect(await content.fetch(cidOf(bytes), never)).toEqual(bytes);
  });

  test('that another lease stopped fetching is fetched again', async () => {
    const stop = new AbortController();
    behaviours = [() => stop.abort(new Error('taken back')), answer(200, bytes)];
    const [stopped, wanted] = [content.fetch(cidOf(bytes), stop.signal), content.fetch(cidOf(bytes), never)];
    await expect(stopped).rejects.toThrow();
    expect(await wanted).toEqual(bytes);
  });
});
