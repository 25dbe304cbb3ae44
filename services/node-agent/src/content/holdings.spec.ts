import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HoldingsChanged } from '@astro/messages/agent';
import { cidOf } from '@astro/messages/content-id';
import { holdingsDigest, holdingsLimits } from '@astro/messages/holdings';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { ContentCache } from './content-cache.js';
import { Holdings } from './holdings.js';

const FILE_BYTES = holdingsLimits.bytesMin;
const HOUR_MS = 3_600_000;

let folder: string;
let cache: ContentCache;
let holdings: Holdings;
let nowMs: number;
const told: HoldingsChanged[] = [];

const open = () => Holdings.open({ stateDir: folder, cache, nowMs: () => nowMs });
const tell = async () => {
  const before = told.length;
  await holdings.tell(changed => Promise.resolve(void told.push(changed)));
  return told.slice(before);
};
async function hold(sizeBytes = FILE_BYTES): Promise<string> {
  const bytes = new Uint8Array(randomBytes(sizeBytes));
  const root = cidOf(bytes);
  await cache.put(root, bytes);
  holdings.note(root, { sizeBytes, blocks: [root] });
  return root;
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'astro-holdings-'));
  // Room for three files.
  cache = await ContentCache.open(join(folder, 'content'), 3 * FILE_BYTES);
  [nowMs, told.length] = [0, 0];
  holdings = await open();
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('all of it is told first, then what changes, and nothing while nothing does', async () => {
  const first = await hold();
  expect(await tell()).toEqual([
    { isWhole: true, held: [first], dropped: [], digest: holdingsDigest([first]) },
  ]);
  expect(await tell()).toEqual([]);
  const second = await hold();
  const digest = holdingsDigest([first, second]);
  expect(await tell()).toEqual([{ isWhole: false, held: [second], dropped: [], digest }]);
});

test('what the cache has put out is withdrawn', async () => {
  const roots = [await hold(), await hold(), await hold()];
  await tell();
  const next = await hold();
  const digest = holdingsDigest([...roots.slice(1), next]);
  expect(await tell()).toEqual([{ isWhole: false, held: [next], dropped: [roots[0]], digest }]);
});

test('a file is not held any more when one of its blocks is gone', async () => {
  const [block, gone] = [await hold(), cidOf(Uint8Array.of(1))];
  await tell();
  holdings.note(block, { sizeBytes: FILE_BYTES, blocks: [block, gone] });
  expect(await tell()).toMatchObject([{ held: [], dropped: [block] }]);
});

test('small files are not told, and of many those that were used last', async () => {
  cache = await ContentCache.open(join(folder, 'large'), 200 * FILE_BYTES);
  holdings = await open();
  await hold(FILE_BYTES - 1);
  const roots: string[] = [];
  for (let count = 0; count < holdingsLimits.files + 1; count++) roots.push(await hold());
  expect(await tell()).toMatchObject([{ held: roots.slice(1) }]);
});

test('what could not be told is part of the next change', async () => {
  await tell();
  const root = await hold();
  await expect(holdings.tell(() => Promise.reject(new Error('the bus is away')))).rejects.toThrow('away');
  expect(await tell()).toMatchObject([{ isWhole: false, held: [root] }]);
});

test('all of it is told again after an hour, and after a restart without being used anew', async () => {
  const root = await hold();
  await tell();
  nowMs += HOUR_MS;
  expect(await tell()).toMatchObject([{ isWhole: true, held: [root] }]);
  holdings = await open();
  expect(await tell()).toMatchObject([{ isWhole: true, held: [root] }]);
});
