import type { Result } from '@astro/messages/scheduling';

/** Whether two results claim the same. */
export const agree = (one: Result, other: Result): boolean => contentOf(one) === contentOf(other);

/**
 * All that a result claims, as text. It has the outputs beside their digest because the digest is the agent's own
 * word: a liar could repeat the honest digest over outputs of his own.
 *
 * Ciphertext differs with each node, so that only the digest tells what is in it. It is keyed with the key of the job:
 * who repeats an honest one has computed the result, or was told it by a node that the client has named. That what was
 * stored is what has this digest, only the client can see; it does when it decrypts.
 */
export function contentOf({ fault, digest, outputs, isEncrypted }: Result): string {
  if (isEncrypted) return JSON.stringify([fault, digest, outputs.map(({ name }) => name).sort()]);
  const files = outputs.map(({ name, cid, sizeBytes }) => [name, cid, sizeBytes] as const);
  return JSON.stringify([fault, digest, files.toSorted(([a], [b]) => (a < b ? -1 : Number(a > b)))]);
}
