import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { CHUNK_BYTES, writeFile } from '@astro/content/write-file';
import type { Platform } from '@astro/devstack/platform';
import type { Client } from './client.js';

/** A file of this many parts, so that a node that gets it is seen half-way. */
const PARTS = 12;

export type Parts = { readonly root: string; readonly leaves: readonly string[] };

/** Stores a large file of random bytes in parts, as whoever has large ones does. */
export async function putLargeFile(client: Client): Promise<Parts> {
  const leaves: string[] = [];
  const root = await writeFile(new Uint8Array(randomBytes(PARTS * CHUNK_BYTES)), async ({ cid, bytes }) => {
    // The list comes last.
    if (leaves.length < PARTS) leaves.push(cid);
    await client.putPart(leaves.at(-1) === cid ? `/v1/blocks/${cid}` : `/v1/content/${cid}`, bytes);
  });
  return { root, leaves };
}

/** Starts a node of its own operator in a region of its own, that gives little in a second to others. */
export async function startSlowGiver(platform: Platform, name: string, region: string): Promise<void> {
  const { apiKey: operatorKey } = await platform.administration().registerOperator(`Operator of ${name}`);
  const offer = { region, pricePerSecondAtto: 10n ** 14n, cpuMillis: 1_000, memoryMib: 512 };
  const settings = { CONTENT_UPLOAD_MIB_PER_SECOND: '2', HOLDINGS_EVERY_MS: '1000' };
  await platform.startAgent({ name, operatorKey, ...offer, settings });
}

/** What of the parts a node has in its cache. */
export async function partsAt(stateDir: string, name: string, { leaves }: Parts): Promise<number> {
  const names = new Set(await readdir(join(stateDir, 'agents', name, 'content')).catch(() => []));
  return leaves.filter(cid => names.has(cid)).length;
}

/** Takes the parts from the gateway's disk; the function that it answers puts them back. */
export async function withoutGateway(stateDir: string, { leaves }: Parts): Promise<() => Promise<void>> {
  const away = join(stateDir, 'away');
  const stored = (cid: string) => join(stateDir, 'content', 'blocks', cid.slice(-2), cid);
  await mkdir(away);
  for (const cid of leaves) await rename(stored(cid), join(away, cid));
  return async () => {
    for (const cid of leaves) await rename(join(away, cid), stored(cid));
  };
}
