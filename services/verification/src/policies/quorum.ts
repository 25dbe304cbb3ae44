import type { VerificationPolicy } from './policy.js';
import { decideByVoices } from './tally.js';

export type QuorumFigures = {
  /** How many voices must claim the same. */
  readonly quorum: number;
};

/** So many operators are asked for the same, and believed when so many claim the same. */
export const quorum = (figures: QuorumFigures): VerificationPolicy => ({
  name: 'quorum',
  version: 1,
  needs: [],
  thresholds: figures,
  replicasAtFirst: () => figures.quorum,
  judge: (reports, asked) => decideByVoices(reports, figures.quorum, asked),
});
