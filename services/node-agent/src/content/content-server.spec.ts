import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CHUNK_BYTES, writeFile } from '@astro/content/write-file';
import { agentKeyPair, issueAgentJwt } from '@astro/jetstream/credentials';
import { generateOperatorKit, type OperatorKit } from '@astro/jetstream/operator-kit';
import type { Assignment } from '@astro/messages/agent';
import { cidOf } from '@astro/messages/content-id';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { GatewayClient } from '../gateway/gateway-client.js';
import { ContentCache } from './content-cache.js';
import { ContentServer } from './content-server.js';
import { Content } from './content.js';
import { Holdings } from './holdings.js';
import { PeerCredentials } from './peer-credentials.js';
import { PeerSources } from './peer-sources.js';

/** A machine that is busy with other things only makes it slower. */
jest.setTimeout(60_000);

const platform = generateOperatorKit();
const never = new AbortController().signal;
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
let folder: string;
const closing: (() => Promise<void>)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'astro-peers-'));
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  await rm(folder, { recursive: true });
});

function credentialsOf(nodeId: string, kit: OperatorKit = platform): PeerCredentials {
  const seed32 = new Uint8Array(randomBytes(32));
  const jwt = issueAgentJwt({
    accountPublicKey: kit.accountPublicKey,
    signingSeed: kit.agentSigningSeed,
    nodeId,
    userPublicKey: agentKeyPair(seed32).publicKey,
    ttlSeconds: 60,
  });
  return new PeerCredentials({ nodeId, seed32: () => seed32, jwt: () => jwt });
}

async function serving(nodeId: string) {
  const credentials = credentialsOf(nodeId);
  const cache = await ContentCache.open(join(folder, nodeId), 64 * CHUNK_BYTES);
  const server = await ContentServer.listen(
    { host: '127.0.0.1', port: 0 },
    { cache, bytesPerSecondMax: Infinity, peerOf: header => credentials.peerOf(header), log },
  );
  closing.push(() => server.close());
  return { cache, url: `http://127.0.0.1:${server.port}` };
}

test('only nodes of the same platform are served, each by what it signed for this one node', async () => {
  const { cache, url } = await serving('node_a');
  const bytes = new Uint8Array(randomBytes(100));
  await cache.put(cidOf(bytes), bytes);
  const ask = (authorization?: string, path = `/ipfs/${cidOf(bytes)}?format=raw`) =>
    fetch(url + path, { headers: authorization === undefined ? {} : { authorization } });
  const node = credentialsOf('node_b');

  const answer = await ask(await node.authorizationFor('node_a'));
  expect(new Uint8Array(await answer.arrayBuffer())).toEqual(bytes);
  expect(answer.headers.get('content-type')).toBe('application/vnd.ipld.raw');
  const strangers = [
    undefined,
    'Bearer nonsense',
    await node.authorizationFor('node_c'),
    await credentialsOf('node_b', generateOperatorKit()).authorizationFor('node_a'),
  ];
  for (const stranger of strangers) expect((await ask(stranger)).status).toBe(401);
  const known = await node.authorizationFor('node_a');
  expect((await ask(known, `/ipfs/${cidOf(new Uint8Array())}?format=raw`)).status).toBe(404);
  expect((await ask(known, `/ipfs/${cidOf(bytes)}`)).status).toBe(406);
});

test('what a lease needs comes from a node that holds it, without the gateway, and stays meanwhile', async () => {
  const holder = await serving('node_a');
  const file = new Uint8Array(randomBytes(3 * CHUNK_BYTES + 9));
  const root = await writeFile(file, ({ cid, bytes }) => holder.cache.put(cid, bytes));
  // A quota that holds the file, and hardly more.
  const cache = await ContentCache.open(join(folder, 'node_b'), 4 * CHUNK_BYTES);
  const gateway = new GatewayClient('http://127.0.0.1:1');
  closing.push(() => Promise.resolve(gateway.close()));
  const sources = new PeerSources(credentialsOf('node_b'), true);
  const holdings = await Holdings.open({ stateDir: folder, cache });
  const content = new Content(gateway, cache, () => Promise.resolve('token'), { sources, holdings, log });
  const assignment: Assignment = {
    poolId: 'main',
    leaseId: 'lease_1',
    jobId: 'job_1',
    taskId: 'task_1',
    fencingToken: 1,
    deadline: new Date(Date.now() + 60_000),
    program: { cid: root, timeLimitMs: 1, memoryLimitMib: 1, outputLimitBytes: 1 },
    inputs: [],
    args: [],
    attestations: [],
    holders: { nodes: [{ nodeId: 'node_a', contentUrl: holder.url }] },
  };
  await content.want({ nodeId: 'node_b', assignments: [assignment] });
  const moved = { fetchedBytes: 0, uploadedBytes: 0 };
  expect(Buffer.from(await content.fetch(root, never, moved)).equals(file)).toBe(true);
  expect(moved.fetchedBytes).toBeGreaterThan(file.length);

  const other = new Uint8Array(randomBytes(CHUNK_BYTES));
  await cache.put(cidOf(other), other);
  expect(cache.has(cidOf(other))).toBe(false);
  const again = { fetchedBytes: 0, uploadedBytes: 0 };
  expect(Buffer.from(await content.fetch(root, never, again)).equals(file)).toBe(true);
  expect(again.fetchedBytes).toBe(0);

  await content.want({ nodeId: 'node_b', assignments: [] });
  await cache.put(cidOf(other), other);
  expect(cache.has(cidOf(other))).toBe(true);
});
