import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { openIdentity } from './identity.js';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'astro-identity-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

test('a node makes its key once and keeps it', async () => {
  const first = await openIdentity(folder);
  expect(first.publicKey).toMatch(/^U[A-Z2-7]{55}$/);
  expect(await openIdentity(folder)).toEqual(first);
});

test('nobody else on the machine can read the key', async () => {
  await openIdentity(folder);
  const { mode } = await stat(join(folder, 'identity.json'));
  expect(mode & 0o777).toBe(0o600);
});

test.each(['', '{', '{}', '{"seed":"c2hvcnQ"}'])(
  'a key file that holds %j is refused and left as it is',
  async text => {
    const path = join(folder, 'identity.json');
    await writeFile(path, text);
    await expect(openIdentity(folder)).rejects.toThrow(path);
    expect(await readFile(path, 'utf8')).toBe(text);
  },
);
