import { hash } from 'node:crypto';
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

export const joined = (chunks: readonly Uint8Array[]): Uint8Array =>
  chunks.length === 1 ? chunks[0]! : new Uint8Array(Buffer.concat(chunks));

export function hasDigestOf(cid: string, bytes: Uint8Array): boolean {
  const parsed = parseCid(cid);
  return 'sha256' in parsed && hash('sha256', bytes, 'buffer').equals(parsed.sha256);
}
