import type { VerificationPolicy } from './policy.js';
import { decideByVoices } from './tally.js';

export type RecheckFigures = {
  /** Of a million results so many are run again. */
  readonly samplePpm: number;
  /** How many voices must claim the same where a result was run again. */
  readonly quorum: number;
};

/** One run in the sample is repeated by somebody else, whoever did it; the others are believed. */
export const recheck = (figures: RecheckFigures): VerificationPolicy => ({
  name: 'recheck',
  version: 1,
  needs: ['draw'],
  thresholds: figures,
  replicasAtFirst: (_standing, draw) => (draw < figures.samplePpm ? figures.quorum : 1),
  judge: (reports, terms) => decideByVoices(reports, terms.asked === 1 ? 1 : figures.quorum, terms),
});
