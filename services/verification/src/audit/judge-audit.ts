import type { AuditClosed } from '@astro/messages/verification';

export type Found = {
  /** Ids of those that were drawn. */
  readonly drawn: readonly string[];
  /** What each of them found that revealed in time. */
  readonly digests: ReadonlyMap<string, string>;
  readonly claimedDigest: string;
  /** Of a planted task. */
  readonly trueDigest?: string;
};

export type AuditVerdict = Pick<AuditClosed, 'outcome' | 'digest' | 'correct' | 'wrong' | 'missing' | 'flaw'>;

/** More than half of those that were drawn: who is silent counts for nobody. */
export const neededOf = (drawn: number): number => Math.floor(drawn / 2) + 1;

/**
 * What most found is right, and the claim with it or not. Where nothing was found by so many, nobody is accused of
 * anything but silence. A planted task has a result that is known to be right and one that is known to be wrong: who
 * finds the latter has copied it. Where most find a third, what was held to be known is doubtful, and nobody is judged.
 */
export function judgeAudit({ drawn, digests, claimedDigest, trueDigest }: Found): AuditVerdict {
  const missing = drawn.filter(validatorId => !digests.has(validatorId));
  const nothing = { outcome: 'inconclusive', digest: '', correct: [], wrong: [], missing } as const;
  const digest = foundByMost(drawn, digests);
  if (digest === undefined) return { ...nothing, flaw: 'no_majority' };
  const isKnown = trueDigest === undefined || digest === trueDigest || digest === claimedDigest;
  if (!isKnown) return { ...nothing, flaw: 'truth_differs' };
  const right = trueDigest ?? digest;
  const isCorrect = (validatorId: string) => digests.get(validatorId) === right;
  return {
    outcome: digest === claimedDigest ? 'confirmed' : 'overturned',
    digest,
    correct: drawn.filter(isCorrect),
    wrong: drawn.filter(validatorId => digests.has(validatorId) && !isCorrect(validatorId)),
    missing,
  };
}

function foundByMost(drawn: readonly string[], digests: ReadonlyMap<string, string>): string | undefined {
  const needed = neededOf(drawn.length);
  const found = [...digests.values()];
  return found.find(digest => found.filter(other => other === digest).length >= needed);
}
