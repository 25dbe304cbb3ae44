import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { cidOfSha256, parseCid, type ContentId } from '@astro/messages/content-id';
import { CHUNK_BYTES, writeFile as cutFile } from '@astro/content/write-file';
import { encode, prepare } from '@ipld/dag-pb';
import { UnixFS } from 'ipfs-unixfs';
import { CID } from 'multiformats/cid';
import { create } from 'multiformats/hashes/digest';
import { CONTENT_LIMIT_BYTES, ContentStore } from './content-store.js';

let folder: string;
let store: ContentStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'astro-content-'));
  store = await ContentStore.open(folder);
});
afterEach(() => rm(folder, { recursive: true }));

const idOf = (bytes: Uint8Array): ContentId => {
  const parsed = parseCid(cidOfSha256(createHash('sha256').update(bytes).digest()));
  if ('rule' in parsed) throw new Error(parsed.rule);
  return parsed;
};
const bodyOf = (...chunks: readonly Uint8Array[]) => Readable.from(chunks.map(chunk => Buffer.from(chunk)));
const files = async () =>
  (await readdir(folder, { recursive: true, withFileTypes: true })).filter(e => e.isFile());

describe('putting content', () => {
  test('stores what has the digest, in one piece', async () => {
    const [head, tail] = [randomBytes(70_000), randomBytes(5)];
    const cid = idOf(Buffer.concat([head, tail]));
    expect(await store.put(cid, bodyOf(head, tail))).toBe('stored');
    expect(await store.sizeOf(cid.text)).toBe(70_005);
    expect(await buffer(store.read(cid.text))).toEqual(Buffer.concat([head, tail]));
    expect(await store.unfinished()).toEqual([]);
  });

  test('stores nothing at all as well as anything else', async () => {
    const cid = idOf(Buffer.alloc(0));
    expect(await store.put(cid, Readable.from([]))).toBe('stored');
    expect(await store.sizeOf(cid.text)).toBe(0);
  });

  test('changes nothing when it is there already', async () => {
    const bytes = randomBytes(10);
    await store.put(idOf(bytes), bodyOf(bytes));
    expect(await store.put(idOf(bytes), bodyOf(bytes))).toBe('existing');
    await expect(store.put(idOf(bytes), bodyOf(randomBytes(10)))).rejects.toMatchObject({
      code: 'content_digest_mismatch',
    });
    expect(await buffer(store.read(idOf(bytes).text))).toEqual(bytes);
  });

  test('leaves nothing when the digest is another', async () => {
    const cid = idOf(randomBytes(10));
    await expect(store.put(cid, bodyOf(randomBytes(10)))).rejects.toMatchObject({
      code: 'content_digest_mismatch',
    });
    expect(await files()).toEqual([]);
    expect(await store.has(cid.text)).toBe(false);
  });

  test('leaves nothing when the body breaks off', async () => {
    const body = Readable.from(
      (function* () {
        yield randomBytes(10);
        throw new Error('the client went away');
      })(),
    );
    await expect(store.put(idOf(randomBytes(10)), body)).rejects.toThrow('the client went away');
    expect(await files()).toEqual([]);
  });

  test('reads no further than the limit, and leaves nothing', async () => {
    const chunk = Buffer.alloc(1024 * 1024);
    let chunks = 0;
    const endless = Readable.from(
      (function* () {
        for (;;) {
          chunks++;
          yield chunk;
        }
      })(),
      { highWaterMark: 1 },
    );
    await expect(store.put(idOf(chunk), endless)).rejects.toMatchObject({
      code: 'body_too_large',
      status: 413,
    });
    expect(chunks * chunk.length).toBeLessThanOrEqual(CONTENT_LIMIT_BYTES + 4 * chunk.length);
    expect(await files()).toEqual([]);
  });

  test('of the same content at once ends with one whole file', async () => {
    const bytes = randomBytes(200_000);
    const puts = Array.from({ length: 8 }, () => store.put(idOf(bytes), bodyOf(bytes)));
    expect(await Promise.all(puts)).toContain('stored');
    expect(await buffer(store.read(idOf(bytes).text))).toEqual(bytes);
    expect(await store.unfinished()).toEqual([]);
  });
});

test('opening the store removes what uploads that were cut off had left, and no upload that is under way', async () => {
  const [old, young] = ['old', 'young'].map(name => join(folder, 'incoming', name));
  await writeFile(old!, 'half');
  await writeFile(young!, 'half');
  const twoHoursAgo = new Date(Date.now() - 7_200_000);
  await utimes(old!, twoHoursAgo, twoHoursAgo);
  const bytes = randomBytes(10);
  await store.put(idOf(bytes), bodyOf(bytes));
  store = await ContentStore.open(folder);
  expect(await store.unfinished()).toEqual(['young']);
  expect(await store.has(idOf(bytes).text)).toBe(true);
});

test('what was never stored is not there', async () => {
  expect(await store.sizeOf(idOf(randomBytes(10)).text)).toBeUndefined();
});

describe('a file of several parts', () => {
  const content = randomBytes(3 * CHUNK_BYTES - 5);
  const made = async () => {
    const blocks = new Map<string, Uint8Array>();
    const root = await cutFile(content, ({ cid, bytes }) => Promise.resolve(void blocks.set(cid, bytes)));
    const put = (cid: string) =>
      cid === root
        ? store.put(idIn(cid), bodyOf(blocks.get(cid)!))
        : store.putBlock(idIn(cid), bodyOf(blocks.get(cid)!));
    return { root, put, leaves: [...blocks.keys()].filter(cid => cid !== root) };
  };
  const idIn = (cid: string): ContentId => parseCid(cid) as ContentId;

  test('is stored by its list once its parts are; an upload that was cut goes on with the rest', async () => {
    const { root, put, leaves } = await made();
    await put(leaves[0]!);
    await expect(put(root)).rejects.toMatchObject({
      code: 'blocks_missing',
      errors: leaves.slice(1).map(field => ({ field, rule: 'must be stored before the list' })),
    });
    expect(await store.sizeOf(root)).toBeUndefined();
    for (const leaf of leaves.slice(1)) expect(await put(leaf)).toBe('stored');
    expect(await put(root)).toBe('stored');
    expect(await store.sizeOf(root)).toBe(content.length);
    expect((await buffer(store.read(root))).equals(content)).toBe(true);
    expect(Buffer.from(await store.block(leaves[1]!))).toEqual(
      content.subarray(CHUNK_BYTES, 2 * CHUNK_BYTES),
    );
  });

  test('a part is no content by itself, and one that is not listed is removed after a day', async () => {
    const { root, put, leaves } = await made();
    for (const leaf of leaves) await put(leaf);
    expect(await store.has(leaves[0]!)).toBe(false);
    await put(root);
    const stray = idOf(randomBytes(9));
    await expect(store.putBlock(stray, bodyOf(randomBytes(9)))).rejects.toMatchObject({
      code: 'content_digest_mismatch',
    });
    const bytes = randomBytes(10);
    await store.putBlock(idOf(bytes), bodyOf(bytes));
    expect(await store.sweep(new Date())).toBe(0);
    expect(await store.sweep(new Date(Date.now() + 25 * 3_600_000))).toBe(1);
    expect((await buffer(store.read(root))).equals(content)).toBe(true);
  });

  test('a list that lies about a part is refused', async () => {
    const { put, leaves } = await made();
    for (const leaf of leaves) await put(leaf);
    const wrong = new UnixFS({ type: 'file', blockSizes: [7n] });
    const list = encode(
      prepare({ Data: wrong.marshal(), Links: [{ Hash: CID.parse(leaves[0]!), Name: '', Tsize: 7 }] }),
    );
    const cid = CID.createV1(0x70, create(0x12, createHash('sha256').update(list).digest())).toString();
    await expect(store.put(idIn(cid), bodyOf(list))).rejects.toMatchObject({ code: 'request_invalid' });
  });
});
