import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import {
  mkdir,
  open,
  readdir,
  readFile as readBytes,
  rename,
  rm,
  stat,
  utimes,
  type FileHandle,
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { BLOCK_BYTES_MAX, RAW_FILE_BYTES_MAX, WrongBlock } from '@astro/content/block';
import { fileSizeBytes, isList, partsOf, type Part } from '@astro/content/file-parts';
import { readFile } from '@astro/content/read-file';
import { cidOfSha256, isCid, type ContentId } from '@astro/messages/content-id';
import { Problem } from '../http/problem.js';

/** Of content in one piece; what is larger is sent in parts. */
export const CONTENT_LIMIT_BYTES = RAW_FILE_BYTES_MAX;
/** Whoever goes on with an upload within this time finds what was sent. */
const UNLISTED_KEPT_MS = 24 * 3_600_000;
/** An upload that nothing was written to for this long was cut off, whichever gateway took it. */
const ABANDONED_AFTER_MS = 3_600_000;

/**
 * Bytes by their content id, one file each, below one folder. A file appears under its name only when it is
 * whole, on disk and has the digest that it is named after. So several gateways can share the folder: who brings the
 * same content twice replaces a file by an equal one.
 */
export class ContentStore {
  private constructor(private readonly folder: string) {}

  /** Opens the store and removes what uploads that were never finished had left. */
  static async open(folder: string): Promise<ContentStore> {
    const store = new ContentStore(folder);
    await mkdir(store.incoming, { recursive: true });
    await mkdir(store.blocks, { recursive: true });
    await store.sweep(new Date());
    return store;
  }

  /**
   * Stores `body` under `cid` while hashing it on the way; content that is already there is only compared. The list of
   * a file's parts is stored once these are.
   * @throws Problem `content_digest_mismatch`, `body_too_large`, `blocks_missing`, `request_invalid` or
   * `storage_full`, with nothing left behind
   */
  async put(cid: ContentId, body: Readable): Promise<'stored' | 'existing'> {
    const limitBytes = cid.codec === 'raw' ? CONTENT_LIMIT_BYTES : BLOCK_BYTES_MAX;
    if (await this.has(cid.text)) {
      assertDigest(cid, await digestOf(body, limitBytes, () => Promise.resolve()));
      return 'existing';
    }
    return this.store(cid, body, { limitBytes, path: this.path(cid.text) });
  }

  async has(cid: string): Promise<boolean> {
    return (await sizeOfFile(this.path(cid))) !== undefined;
  }

  private async store(
    cid: ContentId,
    body: Readable,
    { limitBytes, path }: { readonly limitBytes: number; readonly path: string },
  ): Promise<'stored'> {
    const temporary = join(this.incoming, randomUUID());
    try {
      await this.write(temporary, cid, body, limitBytes);
      if (cid.codec === 'dag-pb') await this.assertComplete(cid.text, await readBytes(temporary));
      await mkdir(dirname(path), { recursive: true });
      await rename(temporary, path);
      return 'stored';
    } catch (cause) {
      await rm(temporary, { force: true });
      if (isNoSpace(cause)) throw new Problem('storage_full');
      throw cause;
    }
  }

  /** Size in bytes of the whole file, or undefined when the content is not stored. */
  async sizeOf(cid: string): Promise<number | undefined> {
    const sizeBytes = await sizeOfFile(this.path(cid));
    if (sizeBytes === undefined || !isList(cid)) return sizeBytes;
    return fileSizeBytes(cid, await readBytes(this.path(cid)));
  }

  /** The bytes of a file, whether it is one block or many. */
  read(cid: string): Readable {
    if (!isList(cid)) return createReadStream(this.path(cid));
    return Readable.from(
      readFile(cid, block => this.block(block)),
      { objectMode: false },
    );
  }

  /**
   * Stores a part of a file, which counts as content only once its list is stored: what is never listed is removed.
   * @throws Problem as `put` does
   */
  async putBlock(cid: ContentId, body: Readable): Promise<'stored' | 'existing'> {
    if (cid.codec !== 'raw') throw listInvalid('a part of a file is raw; a list is stored as content');
    if ((await this.sizeOfBlock(cid.text)) !== undefined) {
      assertDigest(cid, await digestOf(body, BLOCK_BYTES_MAX, () => Promise.resolve()));
      return 'existing';
    }
    return this.store(cid, body, { limitBytes: BLOCK_BYTES_MAX, path: this.blockPath(cid.text) });
  }

  /** Of any block, content or part of it; undefined when it is not there. */
  async sizeOfBlock(cid: string): Promise<number | undefined> {
    return (await sizeOfFile(this.path(cid))) ?? (await sizeOfFile(this.blockPath(cid)));
  }

  /** @throws Error when it is not there */
  async block(cid: string): Promise<Uint8Array> {
    return readBytes(await this.pathOfBlock(cid));
  }

  async readBlock(cid: string): Promise<Readable> {
    return createReadStream(await this.pathOfBlock(cid));
  }

  /**
   * Removes what uploads have left that were never finished: files that nobody has written to since long, but none that
   * is under way elsewhere, and parts that no stored list has named since long.
   * @returns how many files
   */
  async sweep(now: Date): Promise<number> {
    let removed = 0;
    for (const name of await this.unfinished())
      if (await removeIfAbandoned(join(this.incoming, name), now)) removed += 1;
    return removed + (await this.sweepParts(now));
  }

  private async sweepParts(now: Date): Promise<number> {
    const listed = new Set<string>();
    for (const cid of await this.stored(this.folder)) {
      if (!isList(cid)) continue;
      for (const part of partsOf(cid, await readBytes(this.path(cid))) ?? []) listed.add(part.cid);
    }
    let removed = 0;
    for (const cid of await this.stored(this.blocks)) {
      if (listed.has(cid)) continue;
      const { mtimeMs } = await stat(this.blockPath(cid));
      if (mtimeMs > now.getTime() - UNLISTED_KEPT_MS) continue;
      await rm(this.blockPath(cid), { force: true });
      removed += 1;
    }
    return removed;
  }

  /** Names of uploads in flight. */
  async unfinished(): Promise<readonly string[]> {
    return readdir(this.incoming);
  }

  /** A list is stored when its parts are, so that what is stored can always be read to its end. */
  private async assertComplete(cid: string, bytes: Uint8Array): Promise<void> {
    const missing: string[] = [];
    for (const part of listedParts(cid, bytes)) {
      const sizeBytes = await this.sizeOfBlock(part.cid);
      if (sizeBytes === undefined) missing.push(part.cid);
      else if (sizeBytes !== part.sizeBytes) throw listInvalid(`${part.cid} has ${sizeBytes} bytes`);
      // Whoever sweeps meanwhile has not seen the list, and takes no part that somebody has just asked for.
      else await this.touchPart(part.cid);
    }
    if (missing.length > 0)
      throw new Problem('blocks_missing', {
        detail: `${missing.length} parts of the file are not stored`,
        errors: [...new Set(missing)].map(part => ({ field: part, rule: 'must be stored before the list' })),
      });
  }

  private async touchPart(cid: string): Promise<void> {
    const now = new Date();
    await utimes(await this.pathOfBlock(cid), now, now);
  }

  private async pathOfBlock(cid: string): Promise<string> {
    return (await this.has(cid)) ? this.path(cid) : this.blockPath(cid);
  }

  private async stored(folder: string): Promise<readonly string[]> {
    const names = await readdir(folder, { recursive: true });
    return names.map(name => basename(name)).filter(isCid);
  }

  private async write(temporary: string, cid: ContentId, body: Readable, limitBytes: number): Promise<void> {
    const file: FileHandle = await open(temporary, 'wx');
    try {
      assertDigest(cid, await digestOf(body, limitBytes, chunk => file.writeFile(chunk)));
      await file.sync();
    } finally {
      await file.close();
    }
  }

  private get incoming(): string {
    return join(this.folder, 'incoming');
  }

  private get blocks(): string {
    return join(this.folder, 'blocks');
  }

  /** The last characters of an id are evenly spread, the first are the same in every id. */
  private path(cid: string): string {
    return join(this.folder, cid.slice(-2), cid);
  }

  private blockPath(cid: string): string {
    return join(this.blocks, cid.slice(-2), cid);
  }
}

async function removeIfAbandoned(path: string, now: Date): Promise<boolean> {
  try {
    const { mtimeMs } = await stat(path);
    if (mtimeMs >= now.getTime() - ABANDONED_AFTER_MS) return false;
    await rm(path, { force: true });
    return true;
  } catch (error) {
    // Its upload has just ended.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return false;
  }
}

async function sizeOfFile(path: string): Promise<number | undefined> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  return found?.size;
}

/** One level of raw parts is a file of 1 GiB, which is the limit on files. */
function listedParts(cid: string, bytes: Uint8Array): readonly Part[] {
  let parts: readonly Part[];
  try {
    parts = partsOf(cid, bytes) ?? [];
  } catch (error) {
    if (error instanceof WrongBlock) throw listInvalid(error.message);
    throw error;
  }
  const list = parts.find(part => isList(part.cid));
  if (list) throw listInvalid(`${list.cid} is a list itself; parts must be raw`);
  return parts;
}

const listInvalid = (detail: string) =>
  new Problem('request_invalid', {
    detail,
    errors: [{ field: 'body', rule: 'must list raw parts with their sizes' }],
  });

async function digestOf(
  body: Readable,
  limitBytes: number,
  take: (chunk: Buffer) => Promise<void>,
): Promise<Buffer> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > limitBytes) throw contentTooLarge(limitBytes);
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

export const contentTooLarge = (limitBytes = CONTENT_LIMIT_BYTES) =>
  new Problem('body_too_large', {
    detail: `This is at most ${limitBytes} bytes`,
    // The rest of the body is not read, so the connection cannot be used again.
    headers: { connection: 'close' },
  });

const isNoSpace = (error: unknown) =>
  error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
