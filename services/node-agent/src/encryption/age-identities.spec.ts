import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decryptWith, encryptTo } from '@astro/content/age';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { AgeIdentities, renewAgeIdentity } from './age-identities.js';

const DAY_MS = 24 * 3_600_000;
let folder: string;
const path = () => join(folder, 'age-identities.json');
const inDays = (days: number) => new Date(Date.now() + days * DAY_MS);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'astro-age-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('a node makes its identity once, keeps it, and lets nobody else read it', async () => {
  const { recipient } = await AgeIdentities.open(folder);
  expect((await AgeIdentities.open(folder)).recipient).toBe(recipient);
  expect((await stat(path())).mode & 0o777).toBe(0o600);
});

test('it takes another one when that is too old, and reads what was encrypted to the one before', async () => {
  const identities = await AgeIdentities.open(folder);
  const { recipient } = identities;
  const file = await encryptTo([recipient], Uint8Array.of(1, 2, 3));
  await identities.keepFresh(90, inDays(89));
  expect(identities.recipient).toBe(recipient);
  await identities.keepFresh(90, inDays(91));
  expect(identities.recipient).not.toBe(recipient);
  expect(await decryptWith(identities.all, file)).toEqual(Uint8Array.of(1, 2, 3));
});

test('it goes over to one that another process made, and forgets the oldest', async () => {
  const identities = await AgeIdentities.open(folder);
  const [first] = identities.all;
  for (let days = 1; days <= 3; days++) await renewAgeIdentity(folder, inDays(days));
  await identities.keepFresh(90, inDays(3));
  expect(identities.all).toHaveLength(3);
  expect(identities.all).not.toContain(first);
  await renewAgeIdentity(folder, inDays(60));
  await identities.keepFresh(90, inDays(60));
  // The one that was current until now, and of the earlier ones none that has been replaced for long.
  expect(identities.all).toHaveLength(2);
});

test.each(['', '{', '[]', '[{"identity":"AGE-SECRET-KEY-1","madeAt":"2026-01-01T00:00:00Z"}]'])(
  'a file that holds %j is refused and left as it is',
  async text => {
    await writeFile(path(), text);
    await expect(AgeIdentities.open(folder)).rejects.toThrow(path());
    expect(await readFile(path(), 'utf8')).toBe(text);
  },
);
