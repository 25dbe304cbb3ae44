import type { Result } from '@astro/messages/scheduling';

/** Named in every verdict, so that it can be judged again by the same rules. */
export const quorumPolicy = 'quorum/1';

export type Verdict =
  /** Results that were asked for are still out. */
  | { readonly status: 'open' }
  | { readonly status: 'verified'; readonly agreed: readonly Result[]; readonly refuted: readonly Result[] }
  /** All that were asked for are in without agreement, and one more may be asked for. */
  | { readonly status: 'disagreed' }
  | { readonly status: 'failed' };

export type QuorumTerms = {
  /** How many results of different operators must agree. */
  readonly quorum: number;
  /** How many results have been asked for so far. */
  readonly asked: number;
  /** The most that may ever be asked for. */
  readonly maxReplicas: number;
};

/** A majority is not enough and not needed: the first set of `quorum` operators that agree decides. */
export function judge(results: readonly Result[], { quorum, asked, maxReplicas }: QuorumTerms): Verdict {
  for (const agreed of alike(results)) {
    if (new Set(agreed.map(result => result.operatorId)).size < quorum) continue;
    return { status: 'verified', agreed, refuted: results.filter(result => !agreed.includes(result)) };
  }
  if (results.length < asked) return { status: 'open' };
  return { status: asked < maxReplicas ? 'disagreed' : 'failed' };
}

function alike(results: readonly Result[]): readonly (readonly Result[])[] {
  const groups = new Map<string, readonly Result[]>();
  for (const result of results) {
    const content = contentOf(result);
    groups.set(content, [...(groups.get(content) ?? []), result]);
  }
  return [...groups.values()];
}

/** Whether two results claim the same. */
export const agree = (one: Result, other: Result): boolean => contentOf(one) === contentOf(other);

/**
 * All that a result claims, as text. It has the outputs beside their digest because the digest is the agent's own
 * word: a liar could repeat the honest digest over outputs of his own.
 */
function contentOf({ fault, digest, outputs }: Result): string {
  const files = outputs.map(({ name, cid, sizeBytes }) => [name, cid, sizeBytes] as const);
  return JSON.stringify([fault, digest, files.toSorted(([a], [b]) => (a < b ? -1 : Number(a > b)))]);
}
