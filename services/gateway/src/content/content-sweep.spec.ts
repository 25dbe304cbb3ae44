import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { ContentStore } from './content-store.js';
import { ContentSweep } from './content-sweep.js';

test('what an upload has left is removed while the gateway runs, and what is under way stays', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'astro-sweep-'));
  const store = await ContentStore.open(folder);
  const sweep = new ContentSweep(store, 10);
  try {
    const incoming = join(folder, 'incoming');
    const twoHoursAgo = new Date(Date.now() - 2 * 3_600_000);
    for (const name of ['young', 'old']) await writeFile(join(incoming, name), name);
    await utimes(join(incoming, 'old'), twoHoursAgo, twoHoursAgo);
    while ((await readdir(incoming)).includes('old')) await sleep(5);
    expect(await store.unfinished()).toEqual(['young']);
  } finally {
    await sweep.onModuleDestroy();
    await rm(folder, { recursive: true, force: true });
  }
});
