import { createHash } from 'node:crypto';
import { parseCid } from '@astro/messages/content-id';

/** Of a part of a file or of a list of parts: what others of the IPFS network take too. */
export const BLOCK_BYTES_MAX = 2 * 1024 * 1024;
/** Of raw bytes that are a file of their own, which were stored in one piece before larger ones were cut. */
export const RAW_FILE_BYTES_MAX = 64 * 1024 * 1024;

export type Block = { readonly cid: string; readonly bytes: Uint8Array };

/** The bytes that came for a content id are others. */
export class WrongBlock extends Error {
  override readonly name = 'WrongBlock';
}

/** One after the other in memory as they were received: putting them together would cost as much as checking them. */
export type Chunks = readonly Uint8Array[];

export const lengthOf = (chunks: Chunks): number => chunks.reduce((sum, { length }) => sum + length, 0);

export const joined = (chunks: Chunks): Uint8Array =>
  chunks.length === 1 ? chunks[0]! : new Uint8Array(Buffer.concat(chunks));

export function hasDigestOf(cid: string, chunks: Chunks): boolean {
  const parsed = parseCid(cid);
  if ('rule' in parsed) return false;
  const hash = createHash('sha256');
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest().equals(parsed.sha256);
}
