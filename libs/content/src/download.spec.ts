import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { createServer as createProxy, connect } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { joined, WrongBlock } from './block.js';
import { download } from './download.js';
import { isList } from './file-parts.js';
import { httpBlockSource } from './http-block-source.js';
import { readFile } from './read-file.js';
import { SourceRanks } from './source-ranks.js';
import { BlockMissing, type BlockSource, type BlockStore } from './sources.js';
import { writeFile } from './write-file.js';

const CHUNK_BYTES = 10_000;
const file = Uint8Array.from({ length: 40 * CHUNK_BYTES }, (_, index) => (index / 7) % 251);
const blocks = new Map<string, Uint8Array>();
const root = await writeFile(file, ({ cid, bytes }) => Promise.resolve(void blocks.set(cid, bytes)), {
  chunkBytes: CHUNK_BYTES,
  partsMax: 8,
});
const ALL_BYTES = [...blocks.values()].reduce((sum, { length }) => sum + length, 0);

const never = new AbortController().signal;
const closing: (() => void)[] = [];
afterEach(() => closing.splice(0).forEach(close => close()));

class Store implements BlockStore {
  readonly blocks = new Map<string, Uint8Array>();
  has = (cid: string) => this.blocks.has(cid);
  get = (cid: string) => Promise.resolve(this.blocks.get(cid));
  /** Like a disk it takes its time, and the bytes must be the same until then. */
  put = async (cid: string, bytes: Uint8Array) => {
    await new Promise(resolve => setTimeout(resolve, 1));
    this.blocks.set(cid, new Uint8Array(bytes));
  };
}

async function assembled(store: BlockStore): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of readFile(root, async cid => (await store.get(cid))!)) chunks.push(chunk);
  return joined(chunks);
}

/** A gateway as the specification has it, that counts what it sent. */
async function gateway(
  change: (cid: string, bytes: Uint8Array) => Uint8Array | undefined = (_, bytes) => bytes,
) {
  const sent: string[] = [];
  const answer: RequestListener = (request, response) => {
    const cid = new URL(request.url!, 'http://x').pathname.slice('/ipfs/'.length);
    const bytes = blocks.get(cid) && change(cid, blocks.get(cid)!);
    if (!bytes) return void response.writeHead(404).end();
    sent.push(cid);
    response.end(bytes);
  };
  const port = await listening(createServer(answer));
  return { sent, source: sourceAt(port), port };
}

async function listening(server: Server | ReturnType<typeof createProxy>): Promise<number> {
  closing.push(() => server.close());
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

const sourceAt = (port: number): BlockSource =>
  httpBlockSource({
    url: `http://127.0.0.1:${port}`,
    takesPrivateAddresses: true,
    authorization: () => 'Bearer x',
  });

const lastResort = (source: BlockSource): BlockSource => ({ ...source, isLastResort: true });

const into = (store: BlockStore, sources: readonly BlockSource[], ranks = new SourceRanks()) =>
  download(root, { store, sources, ranks, signal: never });

test('a file comes from several sources, and no block of it twice', async () => {
  const [first, second] = [await gateway(), await gateway()];
  const store = new Store();
  expect(await into(store, [first.source, second.source])).toBe(ALL_BYTES);
  expect(await assembled(store)).toEqual(file);
  expect([...first.sent, ...second.sent].toSorted()).toEqual([...blocks.keys()].toSorted());
  expect(first.sent.length).toBeGreaterThan(0);
  expect(second.sent.length).toBeGreaterThan(0);
});

test('a download that was cut goes on where it was: no byte of a block that had come is fetched again', async () => {
  const { sent, port } = await gateway();
  let budgetBytes = ALL_BYTES / 2;
  const lines = new Set<Socket>();
  // A line that drops in the middle of whatever is on it.
  const line = createProxy(near => {
    const far = connect(port, '127.0.0.1');
    for (const end of [near, far]) {
      lines.add(end);
      end.on('error', () => undefined);
      end.on('close', () => (near.destroy(), far.destroy()));
    }
    near.pipe(far);
    far.on('data', (data: Buffer) => {
      budgetBytes -= data.length;
      if (budgetBytes < 0) for (const open of lines) open.destroy();
      else near.write(data);
    });
  });
  const source = sourceAt(await listening(line));
  const store = new Store();
  await expect(into(store, [source])).rejects.toThrow();
  const kept = new Set(store.blocks.keys());
  expect(kept.size).toBeGreaterThan(0);
  expect(kept.size).toBeLessThan(blocks.size);

  budgetBytes = Infinity;
  const before = sent.length;
  const fetched = await into(store, [source]);
  expect(await assembled(store)).toEqual(file);
  const again = sent.slice(before);
  expect(again.filter(cid => kept.has(cid))).toEqual([]);
  expect(new Set(again).size).toBe(again.length);
  expect(fetched).toBe(again.reduce((sum, cid) => sum + blocks.get(cid)!.length, 0));
});

test('a source that lies is found out, not asked again, and the file still arrives', async () => {
  const liar = await gateway((_, bytes) => bytes.map(byte => byte ^ 1));
  const honest = await gateway();
  const ranks = new SourceRanks();
  const distrusted: string[] = [];
  const store = new Store();
  const parts = { store, sources: [liar.source, honest.source], ranks, signal: never };
  await download(root, { ...parts, distrusted: name => distrusted.push(name) });
  expect(await assembled(store)).toEqual(file);
  expect(new Set(distrusted)).toEqual(new Set([liar.source.name]));
  expect(ranks.ranked([liar.source, honest.source])).toEqual([honest.source]);
  // Whatever it had under way before it was found out: never more than it may have at once.
  expect(liar.sent.length).toBeLessThanOrEqual(4);
});

test('the last resort is asked for what the others do not have, and for nothing else', async () => {
  const cids = [...blocks.keys()];
  const half = await gateway((cid, bytes) => (cids.indexOf(cid) % 2 === 0 ? bytes : undefined));
  const platform = await gateway();
  const store = new Store();
  await into(store, [half.source, lastResort(platform.source)]);
  expect(await assembled(store)).toEqual(file);
  expect(platform.sent.toSorted()).toEqual(cids.filter((_, index) => index % 2 === 1).toSorted());
});

test('a block that a source does not give up is taken from another', async () => {
  const stuck: BlockSource = {
    name: 'stuck',
    fetch: (_cid, _limit, signal) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
  };
  const { source } = await gateway();
  const store = new Store();
  await into(store, [stuck, lastResort(source)]);
  expect(await assembled(store)).toEqual(file);
});

test('what nobody has is told, and so is what is no file', async () => {
  const nothing = await gateway(() => undefined);
  await expect(into(new Store(), [nothing.source])).rejects.toBeInstanceOf(BlockMissing);
  const liar = await gateway((_, bytes) => bytes.map(byte => byte ^ 1));
  await expect(into(new Store(), [liar.source])).rejects.toBeInstanceOf(WrongBlock);
});

test('more bytes than a block can have are not received', async () => {
  const flood = await gateway((cid, bytes) => (isList(cid) ? bytes : new Uint8Array(CHUNK_BYTES + 1)));
  await expect(into(new Store(), [flood.source])).rejects.toThrow(`more than ${CHUNK_BYTES} bytes`);
});

test('sources are asked in the order of their measured speed, the untried ones first', () => {
  const ranks = new SourceRanks();
  const named = ['slow', 'fast', 'new'].map(name => ({ name }));
  ranks.measured('slow', 1_000, 10);
  ranks.measured('fast', 1_000, 1);
  expect(ranks.ranked(named).map(({ name }) => name)).toEqual(['new', 'fast', 'slow']);
  // What was measured last counts most, but not alone.
  for (let block = 0; block < 10; block++) ranks.measured('fast', 1_000, 100);
  expect(ranks.ranked(named).map(({ name }) => name)).toEqual(['new', 'slow', 'fast']);
});
