import { mkdir, readdir, readFile, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { replaceFile } from '../state/json-file.js';
import { cidOf, isCid } from '@astro/messages/content-id';

/** Content by its id in one folder, least recently used out first. What it answers always has the digest asked for. */
export class ContentCache {
  readonly #folder: string;
  readonly #quotaBytes: number;

  private constructor(folder: string, quotaBytes: number) {
    this.#folder = folder;
    this.#quotaBytes = quotaBytes;
  }

  static async open(folder: string, quotaBytes: number): Promise<ContentCache> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const leftovers = (await readdir(folder)).filter(name => !isCid(name));
    await Promise.all(leftovers.map(name => rm(join(folder, name), { recursive: true, force: true })));
    const cache = new ContentCache(folder, quotaBytes);
    await cache.#evict();
    return cache;
  }

  async get(cid: string): Promise<Uint8Array | undefined> {
    const path = this.#path(cid);
    let bytes: Uint8Array;
    try {
      bytes = new Uint8Array(await readFile(path));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    if (cidOf(bytes) !== cid) {
      // The disk or somebody on this machine changed it.
      await rm(path, { force: true });
      return undefined;
    }
    const now = new Date();
    await utimes(path, now, now).catch(ignoreMissing);
    return bytes;
  }

  /** Keeps bytes whose id the caller has checked; what alone exceeds the quota is not kept. */
  async put(cid: string, bytes: Uint8Array): Promise<void> {
    if (bytes.length > this.#quotaBytes) return;
    await replaceFile(this.#path(cid), bytes);
    await this.#evict();
  }

  async #evict(): Promise<void> {
    const names = (await readdir(this.#folder)).filter(isCid);
    const files = await Promise.all(
      names.map(async name => ({ name, found: await stat(this.#path(name)).catch(ignoreMissing) })),
    );
    const kept = files.flatMap(({ name, found }) =>
      found ? [{ name, sizeBytes: found.size, usedAtMs: found.mtimeMs }] : [],
    );
    let totalBytes = kept.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    for (const { name, sizeBytes } of kept.sort((left, right) => left.usedAtMs - right.usedAtMs)) {
      if (totalBytes <= this.#quotaBytes) return;
      await rm(this.#path(name), { force: true });
      totalBytes -= sizeBytes;
    }
  }

  #path(cid: string): string {
    if (!isCid(cid)) throw new Error(`${JSON.stringify(cid.slice(0, 80))} is no content id`);
    return join(this.#folder, cid);
  }
}

/** Another lease may evict the same file at the same time. */
function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
