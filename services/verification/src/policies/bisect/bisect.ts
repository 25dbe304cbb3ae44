import type { Asked, Judgement, Published, Report } from '../policy.js';
import { campsOf, decideByVoices } from '../tally.js';

export type BisectFigures = {
  /** How many runs are compared at first; one honest among them is enough. */
  readonly parties: number;
  /** In how many parts each round of a dispute cuts what is left. */
  readonly arity: number;
  /** A party that has not answered a round after so long is silent, and loses. */
  readonly answerWithinMs: number;
};

/** Two reports that end differently go before the referee, who runs one step. */
export type Disputed = { readonly status: 'disputed'; readonly between: readonly [number, number] };

export type Bisect = Published & {
  replicasAtFirst(): number;
  /** @param reports claim the checkpoint that they ended with; those that a dispute refuted are left out */
  judge(reports: readonly Report[], asked: Asked): Judgement | Disputed;
};

/**
 * Refereed delegation (Verde, arXiv 2502.19405) for programs that run in steps, as training does: parties commit to the
 * root of their checkpoints, and of two that differ a search finds the first differing step. The referee runs that
 * step and no other. The truth wins as long as one of the parties is honest, however many lie alike.
 */
export const bisect = (figures: BisectFigures): Bisect => ({
  name: 'bisect',
  version: 1,
  needs: ['checkpoints', 'referee'],
  thresholds: figures,
  replicasAtFirst: () => figures.parties,
  judge(reports, terms) {
    if (reports.length < terms.asked) return { status: 'waiting' };
    const [first, second] = campsOf(reports);
    if (first && second) return { status: 'disputed', between: [first.members[0]!, second.members[0]!] };
    return decideByVoices(reports, 1, terms);
  },
});
