import { expect, test } from '@jest/globals';
import { cidOf } from '@astro/messages/content-id';
import fc from 'fast-check';
import { exporter } from 'ipfs-unixfs-exporter';
import { CID } from 'multiformats/cid';
import { hasDigestOf, WrongBlock } from './block.js';
import { carOf } from './car.js';
import { fileSizeBytes, partsOf } from './file-parts.js';
import { blocksOfFile, readFile, wholeFile, type ReadBlock } from './read-file.js';
import { CHUNK_BYTES, writeFile, type Shape } from './write-file.js';
import { CarReader } from '@ipld/car/reader';

const shape = { chunkBytes: 8, partsMax: 3 };

async function written(content: Uint8Array, ...cut: [] | [Shape]) {
  const blocks = new Map<string, Uint8Array>();
  const root = await writeFile(
    content,
    async ({ cid, bytes }) => {
      blocks.set(cid, bytes);
      return Promise.resolve();
    },
    ...cut,
  );
  const read: ReadBlock = cid => Promise.resolve(blocks.get(cid)!);
  return { root, blocks, read };
}

async function gathered(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return new Uint8Array(Buffer.concat(all));
}

const contents = fc.uint8Array({ maxLength: 300 });

test('any file comes back from its blocks as it was, each of which has the digest of its id', () =>
  fc.assert(
    fc.asyncProperty(contents, async content => {
      const { root, blocks, read } = await written(content, shape);
      expect(await gathered(readFile(root, read))).toEqual(content);
      expect(fileSizeBytes(root, blocks.get(root)!)).toBe(content.length);
      for (const [cid, bytes] of blocks) expect(hasDigestOf(cid, bytes)).toBe(true);
    }),
  ));

test('any range of a file is read from no more blocks than it touches', () =>
  fc.assert(
    fc.asyncProperty(contents, fc.nat(320), fc.nat(320), async (content, fromByte, sizeBytes) => {
      const { root, read } = await written(content, shape);
      const range = { fromByte, untilByte: fromByte + sizeBytes };
      expect(await gathered(readFile(root, read, range))).toEqual(content.slice(fromByte, range.untilByte));
      let chunks = 0;
      for await (const { isList } of blocksOfFile(root, read, range)) if (!isList) chunks += 1;
      expect(chunks).toBeLessThanOrEqual(sizeBytes / shape.chunkBytes + 2);
    }),
  ));

test('a file that was cut here is the same one for the IPFS tools', () =>
  fc.assert(
    fc.asyncProperty(contents, async content => {
      const { root, blocks } = await written(content, shape);
      const theirs = await exporter(root, {
        async *get(cid: CID) {
          await Promise.resolve();
          yield blocks.get(cid.toString())!;
        },
      });
      if (theirs.type !== 'file' && theirs.type !== 'raw') throw new Error(`it is a ${theirs.type}`);
      expect(await gathered(theirs.content())).toEqual(content);
    }),
    { numRuns: 25 },
  ));

test('what fits into one chunk keeps the id that it has always had', async () => {
  const content = new Uint8Array(CHUNK_BYTES).fill(7);
  const { root, blocks } = await written(content);
  expect(root).toBe(cidOf(content));
  expect([...blocks.keys()]).toEqual([root]);
});

test('what is larger is a list of chunks of 1 MiB', async () => {
  const { root, blocks } = await written(new Uint8Array(2 * CHUNK_BYTES + 1));
  expect(partsOf(root, blocks.get(root)!)?.map(({ sizeBytes }) => sizeBytes)).toEqual([
    CHUNK_BYTES,
    CHUNK_BYTES,
    1,
  ]);
  // Equal chunks are one block.
  expect(blocks.size).toBe(3);
});

test('a CAR has each block once, and the root that was asked for', async () => {
  const { root, blocks, read } = await written(
    Uint8Array.from({ length: 100 }, (_, index) => index),
    shape,
  );
  const car = await CarReader.fromBytes(await gathered(carOf(root, read, wholeFile)));
  expect((await car.getRoots()).map(String)).toEqual([root]);
  const cids: string[] = [];
  for await (const { cid } of car.blocks()) cids.push(cid.toString());
  expect(cids.toSorted()).toEqual([...blocks.keys()].toSorted());
  expect(cids[0]).toBe(root);
});

test('a CAR that cannot be finished is not ended as if it were whole', async () => {
  const { root, read } = await written(new Uint8Array(100), shape);
  const broken: ReadBlock = cid => (cid === root ? read(cid) : Promise.reject(new Error('the disk is gone')));
  await expect(gathered(carOf(root, broken, wholeFile))).rejects.toThrow('the disk is gone');
});

test('a list that says another size than its parts have is refused', async () => {
  const { root, read, blocks } = await written(
    Uint8Array.from({ length: 20 }, (_, index) => index),
    shape,
  );
  const [part] = partsOf(root, blocks.get(root)!)!;
  const short: ReadBlock = cid => (cid === part!.cid ? Promise.resolve(new Uint8Array(3)) : read(cid));
  await expect(gathered(readFile(root, short))).rejects.toBeInstanceOf(WrongBlock);
});

test('what is no list of parts is refused', () => {
  const root = CID.createV1(0x70, CID.parse(cidOf(new Uint8Array(1))).multihash).toString();
  expect(() => partsOf(root, Uint8Array.of(1, 2, 3))).toThrow(WrongBlock);
});
