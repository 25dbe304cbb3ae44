import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, type ReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { Problem } from '../http/problem.js';
import { cidOfSha256, type ContentId } from '@astro/messages/content-id';

export const CONTENT_LIMIT_BYTES = 64 * 1024 * 1024;
/** An upload that nothing was written to for this long was cut off, whichever gateway took it. */
const ABANDONED_AFTER_MS = 3_600_000;

/**
 * Bytes by their content id, one file each, below one folder. A file appears under its name only when it is
 * whole, on disk and has the digest that it is named after. So several gateways can share the folder: who brings the
 * same content twice replaces a file by an equal one.
 */
export class ContentStore {
  private constructor(private readonly folder: string) {}

  /** Opens the store and removes what uploads that were cut off had left, but none that is under way elsewhere. */
  static async open(folder: string): Promise<ContentStore> {
    const store = new ContentStore(folder);
    await mkdir(store.incoming, { recursive: true });
    for (const name of await store.unfinished()) await removeIfAbandoned(join(store.incoming, name));
    return store;
  }

  /**
   * Stores `body` under `cid` while hashing it on the way; content that is already there is only compared.
   * @throws Problem `content_digest_mismatch`, `body_too_large` or `storage_full`, with nothing left behind
   */
  async put(cid: ContentId, body: Readable): Promise<'stored' | 'existing'> {
    if (await this.has(cid.text)) {
      assertDigest(cid, await digestOf(body, () => Promise.resolve()));
      return 'existing';
    }
    const temporary = join(this.incoming, randomUUID());
    try {
      await this.write(temporary, cid, body);
      await mkdir(this.shard(cid.text), { recursive: true });
      await rename(temporary, this.path(cid.text));
      return 'stored';
    } catch (cause) {
      await rm(temporary, { force: true });
      if (isNoSpace(cause)) throw new Problem('storage_full');
      throw cause;
    }
  }

  async has(cid: string): Promise<boolean> {
    return (await this.sizeOf(cid)) !== undefined;
  }

  /** Size in bytes, or undefined when the content is not stored. */
  async sizeOf(cid: string): Promise<number | undefined> {
    const found = await stat(this.path(cid)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    return found?.size;
  }

  read(cid: string): ReadStream {
    return createReadStream(this.path(cid));
  }

  /** Names of uploads in flight. */
  async unfinished(): Promise<readonly string[]> {
    return readdir(this.incoming);
  }

  private async write(temporary: string, cid: ContentId, body: Readable): Promise<void> {
    const file: FileHandle = await open(temporary, 'wx');
    try {
      assertDigest(cid, await digestOf(body, chunk => file.writeFile(chunk)));
      await file.sync();
    } finally {
      await file.close();
    }
  }

  private get incoming(): string {
    return join(this.folder, 'incoming');
  }

  /** The last characters of an id are evenly spread, the first are the same in every id. */
  private shard(cid: string): string {
    return join(this.folder, cid.slice(-2));
  }

  private path(cid: string): string {
    return join(this.shard(cid), cid);
  }
}

async function removeIfAbandoned(path: string): Promise<void> {
  try {
    const { mtimeMs } = await stat(path);
    if (mtimeMs < Date.now() - ABANDONED_AFTER_MS) await rm(path, { force: true });
  } catch (error) {
    // Its upload has just ended.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

async function digestOf(body: Readable, take: (chunk: Buffer) => Promise<void>): Promise<Buffer> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > CONTENT_LIMIT_BYTES) throw contentTooLarge();
    hash.update(chunk);
    await take(chunk);
  }
  return hash.digest();
}

function assertDigest(cid: ContentId, sha256: Buffer): void {
  if (sha256.equals(cid.sha256)) return;
  const detail = `The body has the content id ${cidOfSha256(sha256)}`;
  throw new Problem('content_digest_mismatch', {
    detail,
    errors: [{ field: 'cid', rule: 'must be the digest of the body' }],
  });
}

export const contentTooLarge = () =>
  new Problem('body_too_large', {
    detail: `Content is at most ${CONTENT_LIMIT_BYTES} bytes`,
    // The rest of the body is not read, so the connection cannot be used again.
    headers: { connection: 'close' },
  });

const isNoSpace = (error: unknown) =>
  error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
