import type { Report, VerificationPolicy } from './policy.js';
import { accepted, campsOf, wanting } from './tally.js';

export type WeightedFigures = {
  /** A claim is accepted when the doubt that is left is below one in so many. */
  readonly trust: number;
  /** Above it a score adds nothing, so that no node is ever believed alone: below `trust - 1`. */
  readonly weightMax: number;
};

const LEAST_SCORE = 3n;
const SCORE_DIVISOR = 3n;

/** iExec's weight of a voice, from 2 upwards: `max(floor(score / 3), 3) - 1`, here with a limit. */
export function weightOf(score: number, weightMax: number): bigint {
  const third = BigInt(score) / SCORE_DIVISOR;
  const weight = (third > LEAST_SCORE ? third : LEAST_SCORE) - 1n;
  const most = BigInt(weightMax);
  return weight < most ? weight : most;
}

/**
 * iExec's consensus (PoCo). The weights of those who claim the same multiply, a group alone begins at 1, and a claim
 * is accepted when its group outweighs all doubt: `G * trust > T * (trust - 1)`, T being 1 plus all groups. The
 * products do not depend on the order of arrival, so neither does the judgement of what is in. Integers of any size:
 * every judge comes to the same.
 */
export const weighted = (figures: WeightedFigures): VerificationPolicy => {
  const groupWeight = (reports: readonly Report[], members: readonly number[]): bigint => {
    // Of a voice the heaviest report counts: a group with many nodes is one voice.
    const byVoice = new Map<string, bigint>();
    for (const index of members) {
      const { voice, standing } = reports[index]!;
      const weight = weightOf(standing.score, figures.weightMax);
      if (weight > (byVoice.get(voice) ?? 0n)) byVoice.set(voice, weight);
    }
    return [...byVoice.values()].reduce((product, weight) => product * weight, 1n);
  };
  const trust = BigInt(figures.trust);
  return {
    name: 'weighted',
    version: 1,
    needs: ['standing', 'commitment'],
    thresholds: figures,
    replicasAtFirst: ({ score }) => replicasFor(trust, weightOf(score, figures.weightMax)),
    judge(reports, terms) {
      const camps = campsOf(reports);
      const weights = camps.map(({ members }) => groupWeight(reports, members));
      const total = weights.reduce((sum, weight) => sum + weight, 1n);
      const best = weights.findIndex(weight => weight * trust > total * (trust - 1n));
      if (best >= 0) return accepted(reports, camps[best]!.members);
      return wanting(reports.length, camps.length > 1 ? 'ClaimsDiffer' : 'TooFewAgree', 1, terms);
    },
  };
};

/** How many voices of this weight are accepted when all claim the same. */
function replicasFor(trust: bigint, weight: bigint): number {
  let replicas = 1;
  for (let group = weight; group * trust <= (group + 1n) * (trust - 1n); group *= weight) replicas += 1;
  return replicas;
}
