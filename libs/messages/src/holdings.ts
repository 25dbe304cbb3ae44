import { createHash } from 'node:crypto';

/** What is told of what a node holds, so that many nodes can tell it. */
export const holdingsLimits = {
  files: 64,
  /** Of what is smaller, the way to a node costs more than the bytes do. */
  bytesMin: 64 * 1024,
} as const;

/** Tells whether two who count what a node holds have the same: SHA-256 in hex over the ids, sorted, a line each. */
export function holdingsDigest(cids: Iterable<string>): string {
  const hash = createHash('sha256');
  for (const cid of [...cids].sort()) hash.update(`${cid}\n`);
  return hash.digest('hex');
}
