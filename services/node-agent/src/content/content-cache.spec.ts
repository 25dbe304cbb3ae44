import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { ContentCache } from './content-cache.js';
import { cidOf } from '@astro/messages/content-id';

const QUOTA_BYTES = 100;
let folder: string;
let cache: ContentCache;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'astro-content-'));
  cache = await ContentCache.open(folder, QUOTA_BYTES);
});

afterEach(() => rm(folder, { recursive: true, force: true }));

const blob = (fill: number, sizeBytes = 40) => new Uint8Array(sizeBytes).fill(fill);

async function keep(bytes: Uint8Array, usedSecondsAgo: number): Promise<string> {
  const cid = cidOf(bytes);
  await cache.put(cid, bytes);
  const usedAt = new Date(Date.now() - usedSecondsAgo * 1000);
  await utimes(join(folder, cid), usedAt, usedAt);
  return cid;
}

test('what was put can be read again, also after a restart', async () => {
  const cid = await keep(blob(1), 0);
  expect(await cache.get(cid)).toEqual(blob(1));
  expect(await (await ContentCache.open(folder, QUOTA_BYTES)).get(cid)).toEqual(blob(1));
  expect(await cache.get(cidOf(blob(2)))).toBeUndefined();
});

test('the content that was not used for longest goes first', async () => {
  const first = await keep(blob(1), 300);
  const second = await keep(blob(2), 200);
  await cache.get(first);
  const third = await keep(blob(3), 0);
  expect((await readdir(folder)).sort()).toEqual([first, third].sort());
  expect(await cache.get(second)).toBeUndefined();
});

test('content that is larger than the quota pushes nothing out', async () => {
  const cid = await keep(blob(1), 300);
  await cache.put(cidOf(blob(2, 101)), blob(2, 101));
  expect(await readdir(folder)).toEqual([cid]);
});

test('content that was changed on the disk is not answered, and can be put again', async () => {
  const cid = await keep(blob(1), 0);
  await writeFile(join(folder, cid), blob(2));
  expect(await cache.get(cid)).toBeUndefined();
  await cache.put(cid, blob(1));
  expect(await cache.get(cid)).toEqual(blob(1));
});

test('writes that were cut off are cleared away, and a smaller quota is kept from the start', async () => {
  await writeFile(join(folder, '.half.tmp'), 'half');
  await keep(blob(1), 300);
  const newer = await keep(blob(2), 0);
  await ContentCache.open(folder, 50);
  expect(await readdir(folder)).toEqual([newer]);
});

test('an id is never a path', async () => {
  await expect(cache.get('../identity.json')).rejects.toThrow('is no content id');
  await expect(cache.put('../x', blob(1))).rejects.toThrow('is no content id');
});
