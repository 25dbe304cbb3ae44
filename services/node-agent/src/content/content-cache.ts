import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasDigestOf } from '@astro/content/block';
import { isCid } from '@astro/messages/content-id';

/** Only the account that runs the agent may read what is below its state folder. */
const OWNER_ONLY = 0o600;

/**
 * Blocks by their content id in one folder, least recently used out first, but never what is in use. What it answers
 * always has the digest asked for.
 */
export class ContentCache {
  readonly #folder: string;
  readonly #quotaBytes: number;
  /** Sizes, the least recently used first. */
  readonly #blocks = new Map<string, number>();
  readonly #users = new Map<string, number>();
  #totalBytes = 0;

  private constructor(folder: string, quotaBytes: number) {
    this.#folder = folder;
    this.#quotaBytes = quotaBytes;
  }

  static async open(folder: string, quotaBytes: number): Promise<ContentCache> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const names = await readdir(folder);
    const leftovers = names.filter(name => !isCid(name));
    await Promise.all(leftovers.map(name => rm(join(folder, name), { recursive: true, force: true })));
    const cache = new ContentCache(folder, quotaBytes);
    await cache.#index(names.filter(isCid));
    await cache.#evict();
    return cache;
  }

  has(cid: string): boolean {
    return this.#blocks.has(cid);
  }

  /** The least recently used first. */
  get cids(): readonly string[] {
    return [...this.#blocks.keys()];
  }

  async get(cid: string): Promise<Uint8Array | undefined> {
    const bytes = await this.read(cid);
    if (!bytes) return undefined;
    if (!hasDigestOf(cid, bytes)) {
      // The disk or somebody on this machine changed it.
      await this.#remove(cid);
      return undefined;
    }
    const now = new Date();
    await utimes(this.#path(cid), now, now).catch(ignoreMissing);
    return bytes;
  }

  /** Like `get`, for those who check the digest themselves. */
  async read(cid: string): Promise<Uint8Array | undefined> {
    const path = this.#path(cid);
    const sizeBytes = this.#blocks.get(cid);
    if (sizeBytes === undefined) return undefined;
    this.#blocks.delete(cid);
    this.#blocks.set(cid, sizeBytes);
    const bytes = await readBytes(path, sizeBytes).catch(ignoreMissing);
    if (!bytes) await this.#remove(cid);
    return bytes;
  }

  /**
   * Keeps bytes whose id the caller has checked; what alone exceeds the quota is not kept. It does not wait for the
   * disk: after a crash a block that is not whole has another digest, and is fetched again.
   */
  async put(cid: string, bytes: Uint8Array): Promise<void> {
    const path = this.#path(cid);
    if (bytes.length > this.#quotaBytes || this.#blocks.has(cid)) return;
    const temporary = join(this.#folder, `.${randomUUID()}.tmp`);
    try {
      await writeFile(temporary, bytes, { mode: OWNER_ONLY, flag: 'wx' });
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    this.#note(cid, bytes.length);
    await this.#evict();
  }

  /** Keeps these blocks, which may come later, from being put out until the function that it answers is called. */
  use(cids: readonly string[]): () => Promise<void> {
    for (const cid of cids) this.#users.set(cid, (this.#users.get(cid) ?? 0) + 1);
    let isInUse = true;
    return async () => {
      if (!isInUse) return;
      isInUse = false;
      for (const cid of cids) {
        const users = this.#users.get(cid)! - 1;
        if (users > 0) this.#users.set(cid, users);
        else this.#users.delete(cid);
      }
      await this.#evict();
    };
  }

  async #index(cids: readonly string[]): Promise<void> {
    const found = await Promise.all(
      cids.map(async cid => ({ cid, file: await stat(this.#path(cid)).catch(ignoreMissing) })),
    );
    const files = found.flatMap(({ cid, file }) =>
      file ? [{ cid, size: file.size, at: file.mtimeMs }] : [],
    );
    for (const { cid, size } of files.sort((left, right) => left.at - right.at)) this.#note(cid, size);
  }

  #note(cid: string, sizeBytes: number): void {
    if (this.#blocks.has(cid)) return;
    this.#blocks.set(cid, sizeBytes);
    this.#totalBytes += sizeBytes;
  }

  async #evict(): Promise<void> {
    for (const cid of this.#blocks.keys()) {
      if (this.#totalBytes <= this.#quotaBytes) return;
      if (!this.#users.has(cid)) await this.#remove(cid);
    }
  }

  async #remove(cid: string): Promise<void> {
    const sizeBytes = this.#blocks.get(cid);
    if (sizeBytes === undefined) return;
    this.#blocks.delete(cid);
    this.#totalBytes -= sizeBytes;
    await rm(this.#path(cid), { force: true });
  }

  #path(cid: string): string {
    if (!isCid(cid)) throw new Error(`${JSON.stringify(cid.slice(0, 80))} is no content id`);
    return join(this.#folder, cid);
  }
}

/** At once, where `readFile` asks for the size and reads in pieces. Of a file that was cut there are fewer bytes. */
async function readBytes(path: string, sizeBytes: number): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const bytes = Buffer.allocUnsafeSlow(sizeBytes);
    const { bytesRead } = await file.read(bytes, 0, sizeBytes, 0);
    return new Uint8Array(bytes.buffer, 0, bytesRead);
  } finally {
    await file.close();
  }
}

/** Another lease may evict the same file at the same time. */
function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
