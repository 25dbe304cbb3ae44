import type { Candidate } from '@astro/messages/verification';
import type { DigestOf } from '../commit-reveal/commit-reveal.js';

/** Nobody can choose it: the block is not made when the secret is fixed, and nobody else knows the secret then. */
export const seedOf = (blockHash: string, secret: string, digestOf: DigestOf): string =>
  digestOf(JSON.stringify(['astro audit seed 1', blockHash, secret]));

/** What is told of the secret beforehand. */
export const secretHashOf = (secret: string, digestOf: DigestOf): string =>
  digestOf(JSON.stringify(['astro audit secret 1', secret]));

/** Those who may judge a result: nobody of an operator that claims it. */
export const unrelatedTo = (
  operatorIds: ReadonlySet<string>,
  candidates: readonly Candidate[],
): readonly Candidate[] =>
  candidates.filter(({ operatorId, stakeAtto }) => stakeAtto > 0n && !operatorIds.has(operatorId));

/**
 * Draws as many of the candidates as it can, one after the other, each with a chance in proportion to its stake among
 * those that are left; of one operator no more than one, for they would be one voice. It depends on nothing but the
 * seed and who may be drawn, so that anybody comes to the same.
 * @returns ids of validators, fewer than `count` where there are not as many operators
 */
export function drawValidators(
  candidates: readonly Candidate[],
  { seed, count, digestOf }: { readonly seed: string; readonly count: number; readonly digestOf: DigestOf },
): readonly string[] {
  let left = candidates.toSorted((a, b) => (a.validatorId < b.validatorId ? -1 : 1));
  const drawn: string[] = [];
  while (drawn.length < count && left.length > 0) {
    const total = left.reduce((sum, { stakeAtto }) => sum + stakeAtto, 0n);
    // Of 256 bits, so that the remainder favours nobody by anything that matters.
    const digest = digestOf(JSON.stringify(['astro draw 1', seed, drawn.length]));
    const taken = at(left, BigInt(`0x${digest}`) % total);
    drawn.push(taken.validatorId);
    left = left.filter(({ operatorId }) => operatorId !== taken.operatorId);
  }
  return drawn;
}

/** The candidate whose stake covers the place, with all of them laid end to end. */
function at(candidates: readonly Candidate[], place: bigint): Candidate {
  let before = 0n;
  for (const candidate of candidates) {
    before += candidate.stakeAtto;
    if (place < before) return candidate;
  }
  throw new RangeError(`${place} is beyond all stakes together`);
}
