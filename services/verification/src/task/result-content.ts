import type { Result } from '@astro/messages/scheduling';

/** Whether two results claim the same. */
export const agree = (one: Result, other: Result): boolean => contentOf(one) === contentOf(other);

/**
 * All that a result claims, as text. It has the outputs beside their digest because the digest is the agent's own
 * word: a liar could repeat the honest digest over outputs of his own.
 */
export function contentOf({ fault, digest, outputs }: Result): string {
  const files = outputs.map(({ name, cid, sizeBytes }) => [name, cid, sizeBytes] as const);
  return JSON.stringify([fault, digest, files.toSorted(([a], [b]) => (a < b ? -1 : Number(a > b)))]);
}
